"""The part of GitHub's expressions that the rendered workflows use; anything else is an error, so that nothing is taken for
true that GitHub would read otherwise."""
import re

TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(?P<sign>==|!=|&&|\|\||!|\(|\)))")
STATUS = ("failure", "success", "always")


class Unknown(Exception):
    """An expression that this reader does not know, or a name that nothing has."""


def tokens(text):
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise Unknown(f"`{text[at:]}` in `{text}`")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class Reader:
    """Reads one expression by precedence: `||`, `&&`, comparisons, `!`."""

    def __init__(self, text, contexts, status):
        self.text, self.left, self.contexts, self.status = text, tokens(text), contexts, status
        self.idle = 0  # in what `&&` and `||` have no need of, names stand for nothing

    def value(self):
        found = self.either()
        if self.left:
            raise Unknown(f"`{self.left[0][1]}` is left of `{self.text}`")
        return found

    def take(self, sign):
        if self.left and self.left[0] == ("sign", sign):
            self.left.pop(0)
            return True
        return False

    def either(self):
        found = self.both()
        while self.take("||"):
            found = self.unless(found, self.both, found)
        return found

    def both(self):
        found = self.comparison()
        while self.take("&&"):
            found = self.unless(not found, self.comparison, found)
        return found

    def unless(self, decided, read, kept):
        """What is read next, or what was decided before it; read it is in any case, to its end."""
        self.idle += bool(decided)
        other = read()
        self.idle -= bool(decided)
        return kept if decided else other

    def comparison(self):
        found = self.one()
        if self.take("=="):
            return found == self.one()
        if self.take("!="):
            return found != self.one()
        return found

    def one(self):
        if self.take("!"):
            return not self.one()
        if self.take("("):
            found = self.either()
            if not self.take(")"):
                raise Unknown(f"`(` without `)` in `{self.text}`")
            return found
        if not self.left:
            raise Unknown(f"`{self.text}` ends too early")
        kind, word = self.left.pop(0)
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "name" and self.take("("):
            if word not in STATUS or not self.take(")"):
                raise Unknown(f"the function `{word}` in `{self.text}`")
            return word == "always" or self.status == word
        if kind == "name":
            return None if self.idle else look_up(self.contexts, word)
        raise Unknown(f"`{word}` in `{self.text}`")


def look_up(contexts, name):
    """What a name stands for. GitHub makes an empty text of a name that nothing has; here it is a mistake."""
    found = contexts
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise Unknown(f"nothing is called `{name}`")
        found = found[part]
    return found


def condition(text, contexts, status):
    """What an `if` comes to. Without a word about the status it asks for success too, as GitHub does."""
    bare = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(text).strip())
    implied = not re.search(rf"\b({'|'.join(STATUS)})\(", bare)
    if implied and status != "success":
        return False
    return bool(Reader(bare, contexts, status).value())


def fill(text, contexts, status="success"):
    """A value with each `${{ … }}` replaced."""
    def one(match):
        found = Reader(match[1], contexts, status).value()
        return str(found).lower() if isinstance(found, bool) else str(found)

    return re.sub(r"\$\{\{(.*?)\}\}", one, text) if isinstance(text, str) else text
