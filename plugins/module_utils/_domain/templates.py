# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request templates: found, compiled once, and rendered for each client so that no value can change what a template says.

A value that is a text, a list or a dictionary is not written into the template's text: a short token is, and the parsed
document gets the value in the token's place. So a value needs no quoting, a text of digits stays a text, and templates whose
tokens stand alike are parsed once for all clients.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .._core.deps import JINJA2, YAML
from .._core.errors import InputError
from .macros import MACROS, SECRET_MACROS, hyphened, meant, without_hyphens

__all__ = ["Place", "Source", "Template", "TemplateError", "Tree", "find_sources", "parse_json"]

Tree = t.Any
# The keys and indexes that lead to a place in a document.
Place = tuple[t.Any, ...]

SUFFIXES = (".yml.j2", ".yaml.j2", ".json.j2", ".yml", ".yaml", ".json")
IGNORED_SUFFIXES = (".md", "~", ".bak", ".orig")

_OPEN, _CLOSE = "\ue000", "\ue001"
_TOKEN = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_LINE = re.compile("\ue002([0-9]+)\ue003")
_QUOTED_OR_TOKEN = re.compile(rf'"(?:[^"\\]|\\.)*"|({_TOKEN.pattern})')
_VALUES = "__values"

# Ansible brings both libraries along; a module's Python elsewhere may lack them, which a Template says when one is made.
jinja2: t.Any = JINJA2.modules.get("jinja2")
yaml: t.Any = YAML.modules.get("yaml")

NOT_OFFERED = ("Include", "Import", "FromImport", "Extends", "Block", "Macro", "CallBlock", "FilterBlock", "AssignBlock")


def _as_token(context: t.Any, value: t.Any) -> str:
    """Return what stands in the rendered text for a value: numbers, truth values and null as they are, a token for all else."""
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, jinja2.Undefined):
        return str(value)
    values: list[t.Any] = context[_VALUES]
    values.append(str(value) if isinstance(value, str) else value)
    return f"{_OPEN}{len(values) - 1}{_CLOSE}"


@functools.cache
def _jinja() -> t.Any:
    """Return a Jinja environment without loader, without chance and without anything of Ansible's."""
    sandbox = JINJA2.part("sandbox")
    environment = sandbox.SandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        finalize=jinja2.pass_context(_as_token),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals = {"dict": dict, "range": sandbox.safe_range}
    environment.filters.pop("random")
    return environment


@functools.cache
def _loader() -> t.Any:
    """Return a loader of YAML as Kubernetes takes it: a date is a text, as in JSON."""
    forms_by_start = YAML.require().SafeLoader.yaml_implicit_resolvers
    resolvers = {start: [form for form in forms if not form[0].endswith(":timestamp")] for start, forms in forms_by_start.items()}
    return type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {"yaml_implicit_resolvers": resolvers})


class TemplateError(Exception):
    """What is wrong with one template. faults: (line, sentence); line 0 where it cannot be said."""

    def __init__(self, *faults: tuple[int, str]) -> None:
        """Keep the faults."""
        super().__init__(*faults)
        self.faults = list(faults)


@dataclass(frozen=True)
class Source:
    """One template file.

    stem: its name without suffixes, by which a catalogue's file takes the place of another. label: its path in messages.
    """

    stem: str
    label: str
    text: str = field(repr=False)

    @property
    def is_json(self) -> bool:
        """Return whether the file says that it is JSON; YAML that looks like JSON is YAML."""
        return ".json" in Path(self.label).name


def find_sources(*folders: Path) -> list[Source]:
    """Return the templates of the folders by their stems; a later folder's file takes the place of an earlier one's, or joins.

    Raises InputError for a folder that cannot be read, a file that is no template, and two files for one request.
    """
    found: dict[str, Source] = {}
    for folder in folders:
        here: dict[str, Source] = {}
        for path in _files(folder):
            stem, label = _stem(path), _label(path)
            if stem in here:
                beside = Path(here[stem].label).name
                raise InputError(f"{label}: {beside} beside it is a template of the same request. Keep one of them.")
            try:
                here[stem] = Source(stem, label, path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{label}: cannot be read as UTF-8 text ({_reason(error)}).") from None
        found.update(here)
    return [found[stem] for stem in sorted(found)]


class Template:
    """One compiled template.

    Raises TemplateError when it cannot be compiled, asks for a macro that nothing defines, or for the value of a secret.
    """

    def __init__(self, source: Source) -> None:
        """Compile the source and judge what it asks for."""
        self.source = source
        self._text = without_hyphens(source.text.rstrip("\n") + "\n")
        self._parsed: dict[str, Tree] = {}
        try:
            parsed = _jinja().parse(self._text)
            faults = _faults(parsed)
            if faults:
                raise TemplateError(*faults)
            self._compiled = _jinja().from_string(parsed)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError((error.lineno, f"is not a Jinja template: {_reason(error)}.")) from None

    def render(self, macros: t.Mapping[str, t.Any]) -> Tree:
        """Return the one document that the template says for these macros. Raises TemplateError."""
        values: list[t.Any] = []
        text = self._rendered(self._compiled, macros, values)
        if text not in self._parsed:
            self._parsed[text] = self._parse(text, macros)
        return _filled(self._parsed[text], values)

    def line_of(self, macros: t.Mapping[str, t.Any], path: Place) -> int:
        """Return the line of the template that a place of its document comes from, or that of the nearest place around it."""
        values: list[t.Any] = []
        marked = self._marked(macros, values)
        try:
            node = yaml.compose(marked, Loader=_loader())
        except yaml.YAMLError:
            return 0
        return _source_line(marked, _mark_of(node, path, values).line) if node else 1

    def _rendered(self, compiled: t.Any, macros: t.Mapping[str, t.Any], values: list[t.Any]) -> str:
        """Return the text with tokens, and their values in values."""
        try:
            return str(compiled.render({**macros, _VALUES: values}))
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise TemplateError((_line_of_failure(error), f"cannot be rendered: {_reason(error)}.")) from None

    def _parse(self, text: str, macros: t.Mapping[str, t.Any]) -> Tree:
        """Return the rendered text's document, tokens left in."""
        if self.source.is_json and text.strip():
            try:
                return parse_json(text)
            except json.JSONDecodeError as error:
                line = _source_line(self._marked(macros, []), error.lineno - 1) or error.lineno
                raise TemplateError((line, f"is not JSON: {error.msg}.")) from None
            except yaml.YAMLError as error:
                raise TemplateError((0, f"is not JSON: {_reason(error)}.")) from None
        try:
            return _one_document(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = _source_line(self._marked(macros, []), mark.line) if mark else 0
            raise TemplateError((line, f"is not YAML: {_reason(error)}.")) from None
        except yaml.YAMLError as error:
            raise TemplateError((0, f"is not YAML: {_reason(error)}.")) from None

    def _marked(self, macros: t.Mapping[str, t.Any], values: list[t.Any]) -> str:
        """Return the rendered text with the template's line number at the end of each line that is the template's own."""
        parts = []
        for line, kind, value in _jinja().lex(self._text):
            parts.append(_with_line_numbers(value, line) if kind == "data" else value)
        return self._rendered(_jinja().from_string("".join(parts)), macros, values)


def _files(folder: Path) -> list[Path]:
    """Return the template files of a folder, by name; hidden files, notes and an editor's copies are passed over."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.name.endswith(IGNORED_SUFFIXES))
    except OSError as error:
        raise InputError(f"{folder}: the folder of request templates cannot be read ({_reason(error)}).") from None
    for path in paths:
        if path.is_dir() or not path.name.endswith(SUFFIXES):
            raise InputError(f"{_label(path)}: is not a request template. Expected a name that ends with one of {', '.join(SUFFIXES)}.")
    return paths


def _stem(path: Path) -> str:
    """Return a template file's name without its suffixes."""
    return next(path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix))


def _label(path: Path) -> str:
    """Return the path as messages show it: from the current folder where it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _faults(parsed: t.Any) -> list[tuple[int, str]]:
    """Return a fault for each statement that is not offered, and for the first place of each macro that is unknown or secret."""
    nodes = JINJA2.part("nodes")
    faults: list[tuple[int, str]] = []
    known = {*MACROS, *_jinja().globals}
    unknown: dict[str, int] = {}
    for node in parsed.find_all((nodes.Name, *(getattr(nodes, name) for name in NOT_OFFERED))):
        if not isinstance(node, nodes.Name):
            faults.append((node.lineno, f"{type(node).__name__.lower()} is not offered in request templates."))
        elif node.ctx == "store":
            known.add(node.name)
        elif node.name not in known:
            unknown.setdefault(node.name, node.lineno)
    return faults + [(line, _wrong_macro(name)) for name, line in unknown.items() if name not in known]


def _wrong_macro(name: str) -> str:
    if name in SECRET_MACROS:
        return f"macro {hyphened(name)} stands for a secret, and a request carries none. Write instead: {SECRET_MACROS[name]}."
    return f"macro {hyphened(name)} is not defined. {meant(name)}"


def _line_of_failure(error: BaseException) -> int:
    """Return the template's line at which an expression failed; Jinja writes it into the traceback."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _reason(error: BaseException) -> str:
    """Return an error's own words on one line, without the place that is said elsewhere."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error.problem or error.context).split())
    return " ".join(str(getattr(error, "message", None) or error).split()).rstrip(".")


def _one_document(text: str) -> Tree:
    """Return the only document of a YAML text. Raises yaml.MarkedYAMLError."""
    loader = _loader()(text)
    try:
        documents: list[Tree] = []
        while loader.check_node():
            node = loader.get_node()
            if documents:
                raise yaml.MarkedYAMLError(problem="a second document begins; one file makes one object", problem_mark=node.start_mark)
            _refuse_repeated_keys(node)
            documents.append(loader.construct_document(node))
    finally:
        loader.dispose()
    return documents[0] if documents else None


def _refuse_repeated_keys(node: t.Any) -> None:
    """Raise for the second of two equal keys, of which YAML readers keep the last without a word."""
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _refuse_repeated_keys(part)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.MarkedYAMLError(problem=f"the key {key.value} stands twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key.value, str) else id(key))
            _refuse_repeated_keys(value)


def parse_json(text: str) -> Tree:
    """Return what a JSON text with tokens says; one that stands without quotes is taken as if it had them.

    Raises json.JSONDecodeError, and yaml.YAMLError for a key that stands twice.
    """
    return json.loads(_QUOTED_OR_TOKEN.sub(lambda match: f'"{match[1]}"' if match[1] else match[0], text), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    """Return a JSON object, or raise for the second of two equal keys."""
    names = [name for name, _value in pairs]
    if len(set(names)) < len(names):
        raise yaml.YAMLError(f"the key {next(name for name in names if names.count(name) > 1)} stands twice")
    return dict(pairs)


def _filled(tree: Tree, values: list[t.Any]) -> Tree:
    """Return a copy of the tree with values in the places of their tokens."""
    if isinstance(tree, str):
        return _filled_text(tree, values)
    if isinstance(tree, dict):
        return {_key(_filled(key, values)): _filled(part, values) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_filled(part, values) for part in tree]
    return tree


def _filled_text(text: str, values: list[t.Any]) -> Tree:
    if _OPEN not in text:
        return text
    alone = _TOKEN.fullmatch(text)
    if alone:
        return copy.deepcopy(values[int(alone[1])])
    return _TOKEN.sub(lambda match: _key(values[int(match[1])]), text)


def _key(value: t.Any) -> t.Any:
    """Return a value as part of a text or as a key: a list or dictionary as JSON."""
    return value if isinstance(value, (str, int, float)) or value is None else json.dumps(value, ensure_ascii=False)


def _with_line_numbers(data: str, line: int) -> str:
    """Return a template's own text, a comment with the line's number at the end of each line."""
    first, *rest = data.split("\n")
    numbered = [f" #\ue002{line + number}\ue003\n{part}" for number, part in enumerate(rest)]
    return first + "".join(numbered)


def _source_line(marked: str, rendered_line: int) -> int:
    """Return the template's line of a rendered line (from 0): its own mark, the next one after it, or else the last one."""
    lines = [_LINE.search(text) for text in marked.split("\n")]
    near = [found for found in lines[rendered_line:] if found][:1] or [found for found in lines if found][-1:]
    return int(near[0][1]) if near else 0


def _mark_of(node: t.Any, path: Place, values: list[t.Any]) -> t.Any:
    """Return where the place at the path begins, or the nearest place around it."""
    mark = node.start_mark
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if _filled_text(str(key.value), values) == step]
            if not pairs:
                break
            key, node = pairs[-1]
            mark = key.start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
        else:
            break
    return mark
