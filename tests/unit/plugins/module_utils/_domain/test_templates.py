# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.templates import Place, Source, Template, TemplateError, find_sources

MACROS: dict[str, Any] = {
    "client_id": "C42",
    "client_name": "c42",
    "replicas": 2,
    "cors": True,
    "environment": {"A": "1", "B": "true"},
    "node_affinity": {"key": "rarus", "values": ["lms", "007"]},
    "resources": {},
    "docker_image": "0042",
}
# Values that would change a document's structure if they were written into its text.
HOSTILE = [
    "a: b",
    "- x",
    "x #y",
    "{a: b}",
    "[1]",
    '"',
    "'",
    "\\",
    "&a *b",
    "a\n  b: c\n",
    "true",
    "null",
    "~",
    "1e3",
    "0x10",
    "{{ x }}",
    "%",
    "@",
    "",
    " x ",
]


def template(text: str, name: str = "x.yml.j2") -> Template:
    return Template(Source("x", name, text))


def render(text: str, name: str = "x.yml.j2", **macros: Any) -> Any:
    return template(text, name).render({**MACROS, **macros})


RENDERED: list[tuple[str, Any]] = [
    ("a: {{ client_id }}", {"a": "C42"}),
    ("a: {{client-id}}", {"a": "C42"}),
    ("a: {{ client-id | lower }}-x", {"a": "c42-x"}),
    ("a: x{{-client-id-}}y", {"a": "xC42y"}),
    ("a: {{ 'client-id' }}", {"a": "client-id"}),
    ("a: {{ replicas - 1 }}", {"a": 1}),
    ("a: {{ replicas-1 }}", {"a": 1}),
    ("a: {{ replicas }}", {"a": 2}),
    ('a: "{{ replicas }}"', {"a": "2"}),
    ("a: {{ replicas | string }}", {"a": "2"}),
    ("a: {{ docker-image }}", {"a": "0042"}),
    ("a: {{ cors }}", {"a": True}),
    ("a: {{ environment }}", {"a": {"A": "1", "B": "true"}}),
    ('a: "{{ environment }}"', {"a": {"A": "1", "B": "true"}}),
    ("a: x {{ node-affinity }}", {"a": 'x {"key": "rarus", "values": ["lms", "007"]}'}),
    ("a: {{ node-affinity['values'] }}", {"a": ["lms", "007"]}),
    ("{% for k, v in environment | dictsort %}\n{{ k }}: {{ v }}\n{% endfor %}", {"A": "1", "B": "true"}),
    ("{{ client-id }}: 1", {"C42": 1}),
    ("a: {{ {'x': client-id, 'n': replicas} }}", {"a": {"x": "C42", "n": 2}}),
    ("a: 2020-01-01\nb: 0440\nc: yes", {"a": "2020-01-01", "b": 288, "c": True}),
    ("a: |\n  x {{ client-id }}\n  $(cat y) ${z:-1}\n", {"a": "x C42\n$(cat y) ${z:-1}\n"}),
]


@pytest.mark.parametrize(("text", "expected"), RENDERED)
def test_renders(text: str, expected: Any) -> None:
    assert render(text) == expected


RENDERED_JSON: list[tuple[str, Any]] = [
    ('{"a": "{{client-id}}", "b": {{replicas}}, "c": "{{replicas}}"}', {"a": "C42", "b": 2, "c": "2"}),
    ('{"a": {{client-id}}, "b": {{ node-affinity }}}', {"a": "C42", "b": {"key": "rarus", "values": ["lms", "007"]}}),
    ('{\n\t"a": {"b": {{replicas}}}}', {"a": {"b": 2}}),
    ('{"a": "x-{{client-name}}", "{{client-id}}": "say \\"hi\\""}', {"a": "x-c42", "C42": 'say "hi"'}),
]


@pytest.mark.parametrize(("text", "expected"), RENDERED_JSON)
@pytest.mark.parametrize("name", ["x.json", "x.json.j2"])
def test_renders_json(text: str, expected: Any, name: str) -> None:
    assert render(text, name) == expected


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "text",
    [
        "a: {{ docker-image }}\nb: 1",
        'a: "{{ docker-image }}"\nb: 1',
        "a: '{{ docker-image }}'\nb: 1",
        '{"a": "{{ docker-image }}", "b": 1}',
    ],
)
def test_no_value_changes_what_a_template_says(value: str, text: str) -> None:
    assert render(text, docker_image=value) == {"a": value, "b": 1}
    assert render(text.replace("}}", "}}!"), docker_image=value) == {"a": f"{value}!", "b": 1}


def test_a_value_of_its_own_is_nobody_elses() -> None:
    one = template("a: {{ environment }}\nb: {{ environment }}")
    first = one.render(MACROS)
    first["a"]["A"] = "changed"
    assert first["b"]["A"] == "1"
    assert one.render(MACROS)["a"]["A"] == "1"
    assert MACROS["environment"]["A"] == "1"


def test_templates_of_two_shapes_are_parsed_apart() -> None:
    one = template("a: {{ client_id }}\n{% if cors %}\nb: {{ replicas }}\n{% endif %}")
    assert one.render(MACROS) == {"a": "C42", "b": 2}
    assert one.render({**MACROS, "cors": False, "client_id": "C7"}) == {"a": "C7"}
    assert one.render({**MACROS, "replicas": 3}) == {"a": "C42", "b": 3}


# text, name, line, the sentence's beginning
UNCOMPILED: list[tuple[str, int, str]] = [
    ("a: 1\nb: {{client-nmae}}", 2, "macro client-nmae is not defined. client-name is meant?"),
    ("a: {{ public-dn }}", 1, "macro public-dn is not defined. public-dns is meant?"),
    ("a: {{ xyzzy }}", 1, "macro xyzzy is not defined. docs/templates.md lists the macros."),
    ("{% if false %}\na: {{ nope_nope }}\n{% endif %}", 2, "macro nope-nope is not defined."),
    ("a: {{ nope_nope | default('x') }}", 1, "macro nope-nope is not defined."),
    (
        "\n\na: {{ postgres-user-password }}",
        3,
        "macro postgres-user-password stands for a secret, and a request carries none. Write instead: valueFrom:",
    ),
    (
        "a: {{ rsa-content }}",
        1,
        "macro rsa-content stands for a secret, and a request carries none. Write instead: a volume from Secret rsa-secret-",
    ),
    ("a: {{ clickhouse_admin_password }}", 1, "macro clickhouse-admin-password stands for a secret"),
    ("a: 1\nb: {{ client_id", 2, "is not a Jinja template: "),
    ("a: {% fi %}", 1, "is not a Jinja template: "),
    ("a: 1\n{% include 'x' %}", 2, "include is not offered in request templates."),
    ("{% macro m() %}{% endmacro %}a: 1", 1, "macro is not offered in request templates."),
    ("a: {{ lipsum() }}", 1, "macro lipsum is not defined."),
    ("a: {{ [1, 2] | random }}", 1, "is not a Jinja template: No filter named 'random'."),
    ("a: {{ lookup('pipe', 'id') }}", 1, "macro lookup is not defined."),
]


@pytest.mark.parametrize(("text", "line", "begins"), UNCOMPILED)
def test_refuses_to_compile(text: str, line: int, begins: str) -> None:
    with pytest.raises(TemplateError) as caught:
        template(text)
    ((found_line, sentence),) = caught.value.faults
    assert (found_line, sentence[: len(begins)]) == (line, begins)


def test_all_wrong_macros_come_at_once() -> None:
    with pytest.raises(TemplateError) as caught:
        template("a: {{ one_x }}\nb: {{ two_x }}\nc: {{ one_x }} {{ sms4b-token }}")
    assert [line for line, _sentence in caught.value.faults] == [1, 2, 3]


UNPARSED: list[tuple[str, str, int, str]] = [
    ("a: b: c\n", "x.yml", 1, "is not YAML: mapping values are not allowed"),
    ("a: 1\nb: [1\n", "x.yml", 2, "is not YAML: "),
    ("{% if cors %}\na: 1\n{% endif %}\n{# note #}\nb: [1, 2\nc: 3\n", "x.yml", 6, "is not YAML: "),
    ("{% for k in [1, 2] %}\na{{ k }}: 1\n{% endfor %}\nb: {\n", "x.yml", 4, "is not YAML: "),
    ("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yml", 4, "is not YAML: the key c stands twice."),
    ("a: 1\n---\nb: 2\n", "x.yml", 3, "is not YAML: a second document begins; one file makes one object."),
    ('{"a": 1\n "b": 2}', "x.json", 2, "is not JSON: Expecting ',' delimiter."),
    ('{"a": 1,\n "b": 2,}', "x.json", 2, "is not JSON: "),
    ('{"a": 1, "a": 2}', "x.json", 0, "is not JSON: the key a stands twice."),
    ("a: 1\nb: {{ environment.nope.x }}", "x.yml", 2, "cannot be rendered: 'dict object' has no attribute 'nope'."),
    ("a: 1\n\nb: {{ client_id - 1 }}", "x.yml", 3, "cannot be rendered: unsupported operand"),
    ("a: {{ client_id.__class__.__mro__ }}", "x.yml", 1, "cannot be rendered: access to attribute '__class__'"),
    ("a: !!python/object:os.system {}", "x.yml", 1, "is not YAML: could not determine a constructor"),
]


@pytest.mark.parametrize(("text", "name", "line", "begins"), UNPARSED)
def test_refuses_to_render(text: str, name: str, line: int, begins: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text, name)
    ((found_line, sentence),) = caught.value.faults
    assert sentence[: len(begins)] == begins
    assert found_line == line


LINED = """\
{% set long = {
  "x": 1,
} %}
# a note
metadata:
{% if cors %}

  name: {{ client_id }}
{% endif %}
spec:
{% for name, value in environment | dictsort %}
  - name: {{ name }}
    value: {{ value }}
{% endfor %}
  - name: last
"""
LINES: list[tuple[Place, int]] = [
    (("metadata",), 5),
    (("metadata", "name"), 8),
    (("spec", 0, "value"), 13),
    (("spec", 1, "name"), 12),
    (("spec", 2, "name"), 15),
    (("spec", 2, "gone"), 15),
    (("gone",), 5),
]


@pytest.mark.parametrize(("place", "line"), LINES)
def test_a_place_is_found_in_the_template(place: Place, line: int) -> None:
    assert template(LINED).line_of(MACROS, place) == line


def test_a_place_is_found_in_json() -> None:
    text = '{\n  "metadata": {\n    "name": "{{client-id}}"\n  },\n  "x": {{replicas}}\n}'
    assert template(text, "x.json").line_of(MACROS, ("metadata", "name")) == 3
    assert template(text, "x.json").line_of(MACROS, ("x",)) == 5


def write(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"from: {folder.name}/{name}\n")
    return folder


def test_a_later_folders_file_takes_the_place_of_one_and_another_joins(tmp_path: Path) -> None:
    own = write(tmp_path / "own", "service.json", "extra.yaml.j2", "README.md", ".hidden", "config.yml~")
    found = find_sources(write(tmp_path / "base", "service.yml.j2", "config.yml.j2"), own)
    assert [(source.stem, Path(source.label).name) for source in found] == [
        ("config", "config.yml.j2"), ("extra", "extra.yaml.j2"), ("service", "service.json"),
    ]  # fmt: skip


FOLDERS: list[tuple[tuple[str, ...], str]] = [
    (("service.yml", "service.json"), "service.yml: service.json beside it is a template of the same request. Keep one of them."),
    (("service.yml.j3",), "service.yml.j3: is not a request template. Expected a name that ends with one of .yml.j2, "),
]


@pytest.mark.parametrize(("names", "said"), FOLDERS)
def test_a_folder_that_is_wrong_is_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        find_sources(write(tmp_path / "own", *names))
    assert said in caught.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"x\.yml: cannot be read as UTF-8 text"):
        find_sources(tmp_path)
