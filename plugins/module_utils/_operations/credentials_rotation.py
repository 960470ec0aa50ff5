# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one step of the rotation of a client's credentials: a compare-and-swap replace of the Secret, or nothing where it was taken."""

from __future__ import annotations

import time
import typing as t

from .._core.clock import utc_now
from .._core.errors import InputError, LmsError
from .._core.operation import Context
from .._domain import credentials as domain
from .._domain import rotation as rules
from .._domain.names import APP_LABEL, app_label
from .._domain.rotation import CLOSE, OPEN, RSA_PART, SEED_PART, SWITCH, Rotation
from .._domain.screen import progress, stage
from .._k8s.waiting import looks
from .brought_key import brought_key
from .client_lease import beats
from .client_secrets import Secrets, Work, annotations_of, listed, told, watched, with_values
from .credentials_home import Home, home_of
from .registry import actor_or_default

__all__ = ["rotate"]


def rotate(work: Work, context: Context) -> dict[str, t.Any]:
    """Return what rarus.lms.credentials tells, after taking the step that the options name."""
    started = time.monotonic()
    step, parts = work.params["step"], work.params["parts"]
    if not step or not parts:
        raise InputError("state: rotated needs parts and step.", hint=f"parts are any of {', '.join(rules.PARTS)}; the first step is open.")
    found = _both(work)
    home = home_of(work, context)
    settled = home.settle(found)
    values = watched(work)
    before = _answer(work, found, values, changed=settled)
    rotation = Rotation.of(annotations_of(found[work.names[0]]), str(work.ref(work.names[0])))
    if rotation is not None:
        rotation.expect(work.client, parts)
        if rotation.has_done(step):
            _expect_confirmed(work, rotation, seed_is_old=not rotation.has_done(SWITCH))
            if step == OPEN:
                _report(work, context, f"goes on after step {rotation.step}: {_names(rotation.parts)}", started)
            return before
    elif context.check_mode and step != OPEN:
        return {**before, "changed": True}
    following = rules.begun_or_next(rotation, step, parts, began=utc_now(), by=actor_or_default(work.params["actor"]))
    _expect_confirmed(work, following, seed_is_old=step in (OPEN, SWITCH))
    if context.check_mode:
        _report(work, context, f"would rotate {_names(following.parts)}", started)
        return {**before, "changed": True}
    if step == CLOSE:
        _wait_for_leavers(work, context)
    _write(work, home, found, following)
    answer = _answer(work, found, values, changed=True)
    _report(work, context, _said(following, answer["logins"]), started)
    return answer


def _both(work: Work) -> Secrets:
    """Return the client's Secrets; raises InputError where one is missing."""
    found = listed(work)
    missing = [str(work.ref(name)) for name in work.names if name not in found]
    if missing:
        raise InputError(
            f"client: {work.client} has no credentials to rotate: {' and '.join(missing)} is missing.",
            hint=f"Make them: provision_client.yml -e client={work.client}.",
        )
    return found


def _answer(work: Work, found: Secrets, values: t.Mapping[str, bytes], *, changed: bool) -> dict[str, t.Any]:
    """Return what may be known of the credentials as they are now."""
    return {"changed": changed, "created": [], "secrets": list(work.names), **told(work, found, values)}


def _expect_confirmed(work: Work, rotation: Rotation, *, seed_is_old: bool) -> None:
    """Raise InputError where the seed is still to be rotated, and the client's id was not typed."""
    if SEED_PART in rotation.parts and seed_is_old and work.params["confirm"] != work.client.id:
        raise InputError(
            f"confirm: rotating the seed of {work.client} ends every user's session. Expected the client's id, {work.client}.",
            hint=f"Type it: -e confirm={work.client}, or leave the seed out.",
        )


def _wait_for_leavers(work: Work, context: Context) -> None:
    """Wait until no pod of the client is ending: one that drains goes on using the former logins. Raises LmsError after the time-out."""
    leaving: list[str] = []
    beat = beats(work.api, work.params["lease"])
    for taken, _last in looks(work.params["wait_timeout"]):
        beat()
        pods = work.api.list("v1", "Pod", work.namespace, label_selector=f"{APP_LABEL}={app_label(work.client)}", metadata_only=True)
        before, leaving = leaving, [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("deletionTimestamp")]
        if not leaving:
            return
        if leaving != before:
            context.report(progress("", taken, f"{work.client}: {_names(leaving)} still drains, so the former logins stay open"))
    raise LmsError(
        f"client: Pod {work.namespace}/{leaving[0]} of {work.client} has been ending for {work.params['wait_timeout']} s or more,"
        " and may use the former logins; they stay open.",
        hint="Run the same again when it has gone (kubectl describe pod says what it waits for), or give it more time by wait_timeout.",
    )


def _write(work: Work, home: Home, found: Secrets, rotation: Rotation) -> None:
    """Write the step; `found` then has what was stored. Raises ConflictError where somebody else wrote since it was read."""
    work.expect_epoch()
    credentials_name, rsa_name = work.names
    wanted: Secrets = {}
    if RSA_PART in rotation.parts and rotation.step in (OPEN, SWITCH):
        wanted |= _with_new_key(work, found[rsa_name], rotation)
    secret = found[credentials_name]
    values = rules.advanced(rotation, domain.data_of(secret), work.user)
    wanted[credentials_name] = with_values(secret, rules.annotated(annotations_of(secret), rotation), domain.encoded(values))
    home.advance(found, wanted)
    for name in wanted:
        found[name] = work.api.replace(wanted[name])


def _with_new_key(work: Work, secret: dict[str, t.Any], rotation: Rotation) -> Secrets:
    """Return the Secret with a new RSA key in step switch, once: a run that was killed after this finds the rotation's date.

    Empty where there is nothing to write; step open looks ahead only.
    """
    annotations, values = annotations_of(secret), domain.data_of(secret)
    if rules.rotated_dates(annotations).get(RSA_PART) == rotation.began:
        return {}
    brought = brought_key(work.api, work.namespace, work.params)
    if brought and brought.pem == values[domain.RSA_KEY]:
        raise InputError(f"{brought.where} is the one that {work.client} uses.", hint="Put the new key there first, or leave rsa out.")
    if rotation.step == OPEN:
        return {}
    values[domain.RSA_KEY] = brought.pem if brought else domain.generate_rsa_key(work.params["rsa_bits"])
    dated = rules.dated(annotations, [RSA_PART], rotation.began)
    return {secret["metadata"]["name"]: with_values(secret, dated, domain.encoded(values))}


def _report(work: Work, context: Context, text: str, started: float) -> None:
    """Show a step's line; it names the client, because a batch has several."""
    context.report(stage("credentials", f"{work.client}: {text}", time.monotonic() - started))


def _said(rotation: Rotation, logins: t.Mapping[str, str]) -> str:
    """Return what a step has done, for the operator."""
    rotated = [part for part in rotation.parts if part in logins]
    others = [part for part in rotation.parts if part not in logins]
    if rotation.step == OPEN:
        return f"rotation of {_names(rotation.parts)} begins"
    if rotation.step == SWITCH:
        return f"in use: {_names([*(f'{part} {logins[part]}' for part in rotated), *(f'a new {part}' for part in others)])}"
    if rotation.step == CLOSE:
        return f"to be closed: the former logins of {_names(rotated)}" if rotated else "nothing to close"
    return f"rotated {_names(rotation.parts)}"


def _names(names: t.Iterable[str]) -> str:
    return ", ".join(names)
