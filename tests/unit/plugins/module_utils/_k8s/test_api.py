# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import ConflictError, LmsError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._k8s import transport
from ansible_collections.rarus.lms.plugins.module_utils._k8s.api import Api, ApiError
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from support.fake_api import BEARER, PREFIX, FakeApi, status_object

SECRET = Ref("v1", "Secret", "lms-credentials-c42", "lms-dev")


@pytest.fixture
def api(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    return connect(fake_api.params)


def secret(**data: str) -> dict[str, t.Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}, "data": data}


def pod(number: int, **labels: str) -> dict[str, t.Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"p{number:04}", "namespace": "lms-dev", "labels": labels},
        "spec": {"x": 1},
    }


# What is absent, and what is not.


def test_only_kubernetes_own_word_is_absence(api: Api) -> None:
    assert api.get(SECRET) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "404 page not found\n"),
        (404, "<html><body>not here</body></html>"),
        (404, {"type": "error", "status": 404, "message": "cluster not found"}),
        (404, status_object(404, "NotFound", "the server could not find the requested resource")),
        (404, status_object(404, "NotFound", 'secrets "other" not found', "other", "secrets")),
        (404, status_object(404, "NotFound", 'namespaces "lms-dev" not found', "lms-dev", "namespaces")),
        (404, status_object(404, "NotFound", "pods not found", SECRET.name, "pods")),
        (400, status_object(400, "BadRequest", "no")),
        (401, status_object(401, "Unauthorized", "Unauthorized")),
        (403, status_object(403, "Forbidden", "no")),
        (410, status_object(410, "Gone", "no")),
        (429, status_object(429, "TooManyRequests", "no")),
        (500, status_object(500, "InternalError", "no")),
        (502, "<html>bad gateway</html>"),
        (503, status_object(503, "ServiceUnavailable", "no")),
        (504, "timeout"),
        (302, "moved"),
        (200, "<html>please log in</html>"),
        (200, "{broken"),
        (200, {"kind": "PodList", "items": []}),
        (200, {"kind": "Secret", "metadata": {"name": "other"}}),
        (200, ""),
    ],
)
def test_everything_doubtful_raises(fake_api: FakeApi, api: Api, status: int, body: t.Any) -> None:
    fake_api.answer("GET", "/secrets/", status=status, body=body, times=1000)
    with pytest.raises(UnknownStateError) as caught:
        api.get(SECRET)
    assert caught.value.as_result()["status"] == status
    fake_api.answer("GET", "/secrets", status=status, body=body, times=1000)
    with pytest.raises(UnknownStateError):
        api.list("v1", "Secret", "lms-dev")


def test_metadata_alone_comes_without_values(fake_api: FakeApi, api: Api) -> None:
    fake_api.add(secret(password="Y2FuYXJ5"))
    found = api.get(SECRET, metadata_only=True)
    assert found is not None
    assert (found["apiVersion"], found["kind"], "data" in found) == ("v1", "Secret", False)
    assert fake_api.requests[0].headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert all("data" not in item for item in api.list("v1", "Secret", "lms-dev", metadata_only=True))


def test_metadata_alone_holds_where_a_proxy_ignores_the_wish(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer("GET", "/secrets/", body={**secret(password="Y2FuYXJ5")})
    found = api.get(SECRET, metadata_only=True)
    assert found == {"apiVersion": "v1", "kind": "Secret", "metadata": secret()["metadata"]}


def test_lists_are_read_page_by_page_and_items_get_their_kind(fake_api: FakeApi, api: Api) -> None:
    fake_api.add(*[pod(number) for number in range(1201)])
    found = api.list("v1", "Pod", "lms-dev")
    assert [item["metadata"]["name"] for item in found] == [f"p{number:04}" for number in range(1201)]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "Pod")}
    assert api.calls == 3


def test_lists_can_be_narrowed(fake_api: FakeApi, api: Api) -> None:
    fake_api.add(pod(1, a="x"), pod(2, a="y"), pod(3))
    assert [item["metadata"]["name"] for item in api.list("v1", "Pod", label_selector="a in (x, y)")] == ["p0001", "p0002"]
    assert [item["metadata"]["name"] for item in api.list("v1", "Pod", "lms-dev", field_selector="metadata.name=p0003")] == ["p0003"]
    assert api.list("v1", "Pod", "another") == []


def test_a_long_list_can_be_read_page_by_page(fake_api: FakeApi, api: Api) -> None:
    fake_api.add(*[pod(number) for number in range(600)])
    fake_api.fail("GET", "/pods", 410, "Expired", query="continue")
    found = api.read_each(lambda item: (item["kind"], item["metadata"]["name"]), "v1", "Pod", "lms-dev")
    assert (len(found), found[0], found[-1], api.calls) == (600, ("Pod", "p0000"), ("Pod", "p0599"), 4)


def test_a_list_that_expires_between_pages_begins_anew(fake_api: FakeApi, api: Api) -> None:
    fake_api.add(*[pod(number) for number in range(600)])
    fake_api.fail("GET", "/pods", 410, "Expired", query="continue")
    assert len(api.list("v1", "Pod", "lms-dev")) == 600
    fake_api.fail("GET", "/pods", 410, "Expired", query="continue", times=9)
    with pytest.raises(ApiError, match="expire 3 times"):
        api.list("v1", "Pod", "lms-dev")


def test_an_unknown_kind_is_asked_for_once(fake_api: FakeApi, api: Api) -> None:
    listed = {
        "kind": "APIResourceList",
        "resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}, {"name": "widgets/status", "kind": "Widget"}],
    }
    fake_api.answer("GET", "/apis/example.com/v1", body=listed)
    for name in ("a", "b"):
        path = f"/apis/example.com/v1/namespaces/x/widgets/{name}"
        fake_api.answer("GET", path, body={"kind": "Widget", "metadata": {"name": name}})
        assert api.get(Ref("example.com/v1", "Widget", name, "x")) is not None
    assert api.calls == 3
    fake_api.answer("GET", "/apis/example.com/v1", body=listed)
    with pytest.raises(ApiError, match=r"serves no kind Gadget in example\.com/v1"):
        api.get(Ref("example.com/v1", "Gadget", "a", "x"))


# Writes.


def test_a_create_fails_on_what_exists(fake_api: FakeApi, api: Api) -> None:
    made = api.create(secret(a="YQ=="))
    assert made["metadata"]["uid"]
    assert fake_api.requests[0].query == {"fieldManager": "rarus.lms"}
    with pytest.raises(ConflictError, match='"lms-credentials-c42" already exists'):
        api.create(secret(a="Yg=="))
    stored = fake_api.stored("Secret", SECRET.name)
    assert stored is not None
    assert stored["data"] == {"a": "YQ=="}


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_create_is_repeated_after_a_doubtful_answer(fake_api: FakeApi, api: Api, status: int) -> None:
    fake_api.fail("POST", "/secrets", status)
    assert api.create(secret())["metadata"]["uid"]
    assert api.calls == 2


def test_a_create_whose_answer_was_lost_is_known_again(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer("POST", "/secrets", lose="answer")
    assert api.create(secret(a="YQ=="))["data"] == {"a": "YQ=="}


def test_a_create_that_was_lost_to_somebody_else_meanwhile_is_a_conflict(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer("POST", "/secrets", lose="request")
    fake_api.add(secret(a="dGhlaXJz"))
    with pytest.raises(ConflictError):
        api.create(secret(a="b3Vycw=="))


def test_a_replace_fails_on_what_was_changed_or_deleted_since(fake_api: FakeApi, api: Api) -> None:
    first = api.create(secret(a="YQ=="))
    second = api.replace({**first, "data": {"a": "Yg=="}})
    assert second["data"] == {"a": "Yg=="}
    with pytest.raises(ConflictError, match="has been modified"):
        api.replace({**first, "data": {}})
    fake_api.remove("Secret", SECRET.name)
    with pytest.raises(ConflictError, match="was deleted"):
        api.replace(second)
    with pytest.raises(ValueError, match="resourceVersion"):
        api.replace(secret())


def test_a_replace_whose_answer_was_lost_is_known_again(fake_api: FakeApi, api: Api) -> None:
    first = api.create(secret())
    fake_api.answer("PUT", "/secrets/", lose="answer")
    assert api.replace({**first, "data": {"a": "Yg=="}})["data"] == {"a": "Yg=="}


def test_deleting_tells_whether_it_was_there(fake_api: FakeApi, api: Api) -> None:
    assert api.delete(SECRET) is False
    made = api.create(secret())
    with pytest.raises(ConflictError):
        api.delete(SECRET, uid="another")
    fake_api.answer("DELETE", "/secrets/", lose="answer")
    assert api.delete(SECRET, uid=made["metadata"]["uid"]) is True
    assert fake_api.requests[-1].body["propagationPolicy"] == "Background"


def test_a_namespace_that_is_missing_is_named(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer(
        "POST", "/secrets", status=404, body=status_object(404, "NotFound", 'namespaces "lms-dev" not found', "lms-dev", "namespaces")
    )
    with pytest.raises(LmsError, match='namespaces "lms-dev" not found') as caught:
        api.create(secret())
    assert "prepare_namespace.yml" in caught.value.hint


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500])
def test_the_values_of_a_secret_are_not_in_what_is_told(fake_api: FakeApi, api: Api, status: int) -> None:
    fake_api.fail("POST", "/secrets", status, "Invalid", f"data: Invalid value: Y2FuYXJ5 canary-plain, and {BEARER}")
    with pytest.raises(LmsError) as caught:
        api.create({**secret(a="Y2FuYXJ5"), "stringData": {"b": "canary-plain"}})
    message = caught.value.as_result()["msg"]
    assert "********" in message
    assert not any(value in message for value in ("Y2FuYXJ5", "canary-plain", BEARER))


@pytest.mark.parametrize(("status", "hint"), [(413, "about 1 MiB"), (422, "Correct the setting or the template")])
@pytest.mark.parametrize("body", [True, False], ids=["Kubernetes", "a proxy"])
def test_what_is_refused_for_certain_is_no_doubt(fake_api: FakeApi, api: Api, status: int, hint: str, body: bool) -> None:
    fake_api.answer("POST", "/secrets", status=status, body=status_object(status, "Reason", "too much.") if body else "<h1>too much</h1>")
    with pytest.raises(LmsError, match=r"refused creating Secret lms-dev/lms-credentials-c42 .*: too much\.$") as caught:
        api.create(secret())
    assert hint in caught.value.hint
    assert not isinstance(caught.value, ApiError)


# Repetition.


def test_reads_are_repeated_through_a_hiccup(fake_api: FakeApi, api: Api) -> None:
    fake_api.fail("GET", "/secrets/", 503, times=2)
    fake_api.answer("GET", "/secrets/", lose="request")
    assert api.get(SECRET) is None
    assert api.calls == 4


@pytest.mark.parametrize(("status", "calls"), [(401, 1), (403, 1), (422, 1), (500, 1)])
def test_what_will_not_heal_is_not_repeated(fake_api: FakeApi, api: Api, status: int, calls: int) -> None:
    fake_api.fail("GET", "/secrets/", status, times=9)
    with pytest.raises(LmsError):
        api.get(SECRET)
    assert api.calls == calls


def test_a_wait_that_is_too_long_is_not_begun(fake_api: FakeApi, api: Api) -> None:
    fake_api.fail("GET", "/secrets/", 429, "TooManyRequests", headers={"Retry-After": "60"})
    with pytest.raises(ApiError, match="429 TooManyRequests"):
        api.get(SECRET)
    assert api.calls == 1


def test_the_wait_that_an_answer_asks_for_is_kept(fake_api: FakeApi, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "REPEAT_SECONDS", 5)
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    fake_api.fail("GET", "/secrets/", 429, "TooManyRequests", headers={"Retry-After": "2"})
    assert connect(fake_api.params).get(SECRET) is None
    assert [seconds > 2 for seconds in waited] == [True]


def test_other_writes_are_repeated_only_when_they_certainly_did_not_arrive(fake_api: FakeApi, api: Api) -> None:
    fake_api.fail("POST", "/api/v1/namespaces/lms-dev/serviceaccounts/x/token", 429)
    fake_api.answer("POST", "/token", body={"kind": "TokenRequest"})
    assert api.request("POST", "/api/v1/namespaces/lms-dev/serviceaccounts/x/token", body={}).body["kind"] == "TokenRequest"
    fake_api.fail("POST", "/token", 503, times=2)
    with pytest.raises(ApiError):
        api.request("POST", "/api/v1/namespaces/lms-dev/serviceaccounts/x/token", body={})
    assert api.calls == 3


def test_reviews_write_nothing_and_are_repeated(fake_api: FakeApi, api: Api) -> None:
    fake_api.fail("POST", "/selfsubjectaccessreviews", 503)
    fake_api.answer("POST", "/selfsubjectaccessreviews", status=201, body={"kind": "SelfSubjectAccessReview", "status": {"allowed": True}})
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body={})
    assert answer.body["status"]["allowed"] is True
    assert fake_api.writes() == []


# Sentences.


@pytest.mark.parametrize(
    ("status", "body", "message", "hint"),
    [
        (
            401,
            status_object(401, "Unauthorized", "Unauthorized"),
            "answered 401 Unauthorized: the token expired, was revoked",
            "K8S_AUTH_API_KEY",
        ),
        (
            403,
            status_object(
                403, "Forbidden", 'secrets "x" is forbidden: User "system:serviceaccount:lms-dev:d" cannot get resource "secrets"'
            ),
            'reading Secret lms-dev/lms-credentials-c42: secrets "x" is forbidden: User "system:serviceaccount:lms-dev:d" cannot get',
            "prepare_namespace.yml",
        ),
        (403, status_object(403, "Forbidden", 'User "system:anonymous" cannot get path'), "forbids reading", "without a token"),
        (403, status_object(403, "Forbidden", "exceeded quota: x"), "exceeded quota", "ResourceQuota"),
        (
            403,
            status_object(403, "Forbidden", "unable to create new content in namespace x because it is being terminated"),
            "because it is being terminated",
            "The namespace is being deleted",
        ),
        (
            404,
            "404 page not found\n",
            "404 to reading Secret lms-dev/lms-credentials-c42, but not with Kubernetes' words: 404 page",
            "path of api_root_url",
        ),
        (502, "<html><h1>Bad Gateway</h1></html>", "not with Kubernetes' words: Bad Gateway.", "A proxy before the API"),
        (
            503,
            status_object(503, "ServiceUnavailable", "etcd is away"),
            "answered 503 ServiceUnavailable to reading",
            "overloaded or starting",
        ),
        (200, "<html>log in</html>", "but not with what was asked for", "login page"),
        (302, "", "answered 302", "path of api_root_url"),
    ],
)
def test_each_failure_is_one_sentence_with_what_to_do(
    fake_api: FakeApi, api: Api, status: int, body: t.Any, message: str, hint: str
) -> None:
    fake_api.answer("GET", "/secrets/", status=status, body=body, times=1000)
    with pytest.raises(ApiError) as caught:
        api.get(SECRET)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert (caught.value.status, "\n" in caught.value.as_result()["msg"]) == (status, False)


def test_a_wrong_path_is_asked_about(fake_api: FakeApi) -> None:
    wrong = connect({**fake_api.params, "host": fake_api.root.replace(PREFIX, "/wrong")})
    with pytest.raises(ApiError, match=r"no such page.*Is the path of api_root_url \(host\) right") as caught:
        try:
            wrong.get(SECRET)
        except ApiError as error:
            raise ApiError(error.as_result()["msg"], status=error.status) from None
    assert caught.value.status == 404


# Logs and the version.


def test_a_log_is_cut_to_whole_lines(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer("GET", "/pods/p/log", body="".join(f"line {number}\n" for number in range(1000)))
    text = api.logs("lms-dev", "p", "c", limit_bytes=100)
    assert text.startswith("line 9")
    assert text.endswith("line 999\n")
    assert len(text) <= 100
    query = fake_api.requests[0].query
    assert (query["container"], query["tailLines"], query["previous"], "follow" in query) == ("c", "20", "false", False)


def test_a_log_that_looks_like_json_comes_as_it_is(fake_api: FakeApi, api: Api) -> None:
    fake_api.answer("GET", "/pods/p/log", body='{"level": "error"}')
    assert api.logs("lms-dev", "p", "c", previous=True) == '{"level": "error"}'


@pytest.mark.parametrize("status", [400, 404])
def test_a_container_without_a_log_has_an_empty_one(fake_api: FakeApi, api: Api, status: int) -> None:
    fake_api.fail("GET", "/pods/p/log", status, "BadRequest", "container is waiting to start")
    assert api.logs("lms-dev", "p", "c") == ""


def test_a_log_that_may_not_be_read_is_said(fake_api: FakeApi, api: Api) -> None:
    fake_api.fail("GET", "/pods/p/log", 403, "Forbidden", "no")
    with pytest.raises(ApiError, match="forbids reading the log of container c of Pod lms-dev/p"):
        api.logs("lms-dev", "p", "c")


def test_the_version_is_the_servers(fake_api: FakeApi, api: Api) -> None:
    assert api.version()["gitVersion"] == "v1.36.3"
    fake_api.answer("GET", "/version", body={"something": "else"})
    with pytest.raises(ApiError):
        api.version()
