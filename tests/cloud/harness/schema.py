"""Reads the AWS provider's schema out of the npm package @cdktf/provider-aws, in the shape of `terraform providers schema`.

The package is generated from the provider's schema, and each of its files carries the TypeScript it was compiled from in
a source map. What is read: a resource's attributes and blocks with their types, and which are required, optional or
computed. What the schema of the provider does not say (values of enums, which pairs conflict) is not here either.
"""

import base64
import json
import os
import re
import sys

PROVIDER = "registry.terraform.io/hashicorp/aws"

# How the generated code names the types of what can be set …
INPUT_TYPES = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "any": "dynamic",
    "stringList": ["list", "string"],
    "numberList": ["list", "number"],
    "booleanList": ["list", "bool"],
    "stringMap": ["map", "string"],
    "numberMap": ["map", "number"],
    "booleanMap": ["map", "bool"],
    "anyMap": ["map", "dynamic"],
    "stringMapList": ["list", ["map", "string"]],
    "stringMapMap": ["map", ["map", "string"]],
    "stringListMap": ["map", ["list", "string"]],
    "stringListList": ["list", ["list", "string"]],
}
# … and of what can only be read.
OUTPUT_TYPES = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getAnyMapAttribute": ["map", "dynamic"],
}
OUTPUT_MAPS = {
    "new cdktf.StringMapList": ["list", ["map", "string"]],
    "new cdktf.StringMap": ["map", "string"],
    "new cdktf.BooleanMap": ["map", "bool"],
    "new cdktf.NumberMap": ["map", "number"],
}

CLASS = re.compile(r"\nexport class (\w+) extends cdktf\.(\w+) \{(.*?)\n\}\n", re.S)
TO_HCL = re.compile(r"export function (\w+)ToHclTerraform\(struct\?: [^)]*\): any \{(.*?)\n\}", re.S)
ENTRY = re.compile(
    r"\n\s+(\w+): \{\n\s+value: (.*?),\n\s+isBlock: (true|false),"
    r'\n\s+type: "(\w+)",\n\s+storageClassType: "(\w+)",\n\s+\}',
    re.S,
)
FLAGS = re.compile(
    r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(.*?)(?=\n  // \w+ - computed:|\Z)", re.S
)


def typescript(folder):
    """The TypeScript that a folder's JavaScript was compiled from."""
    mark = "sourceMappingURL=data:application/json;base64,"
    sources = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".js"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            at = text.rfind(mark)
            if at >= 0:
                sources += json.loads(base64.b64decode(text[at + len(mark) :].strip()))["sourcesContent"]
    return "\n".join(sources)


class Package:
    """The classes and functions of one resource's, data source's or the provider's file."""

    def __init__(self, source):
        self.classes = {m[1]: (m[2], m[3]) for m in CLASS.finditer(source + "\n")}
        self.by_lower_name = {name.lower(): name for name in self.classes}
        self.entries = {m[1].lower(): ENTRY.findall(m[2]) for m in TO_HCL.finditer(source)}

    def top(self, *bases):
        """The body of the class with one of these bases."""
        return next(body for base, body in self.classes.values() if base in bases)

    def output_class(self, struct):
        """The body of the class that reads a struct's fields, if there is one."""
        name = self.by_lower_name.get((struct + "OutputReference").lower())
        return self.classes[name][1] if name else None

    def block(self, entries, body):
        """A block: from what is written to Terraform, and from what the class says of each field."""
        flags = {m[1]: (m[2] == "true", m[3] == "true", m[4] == "true", m[5]) for m in FLAGS.finditer(body)}
        block = {"attributes": {}, "block_types": {}}
        for name, value, is_block, kind, storage in entries:
            computed, optional, required, _ = flags.pop(name, (False, True, False, ""))
            many = "listMapperHcl" in value
            sub = self.sub_block(value)
            if is_block == "true" and not re.search(r"listMapperHcl\(\w+, false\)", value):
                nested = {"nesting_mode": "single" if kind == "struct" else kind, "block": sub}
                if not many and kind != "struct":
                    nested["max_items"] = 1
                if required:
                    nested["min_items"] = 1
                block["block_types"][name] = nested
                continue
            attribute = {"type": self.input_type(sub, kind, storage, many)}
            if required:
                attribute["required"] = True
            else:
                attribute.update({flag: True for flag, set_ in (("optional", optional), ("computed", computed)) if set_})
            block["attributes"][name] = attribute
        for name, (computed, _, _, code) in flags.items():
            if computed:
                block["attributes"][name] = {"type": self.output_type(code), "computed": True}
        return block

    def sub_block(self, value):
        """The block that an entry's value is converted with, if it is a struct."""
        found = re.search(r"(?<!cdktf\.)\b(\w+)ToHclTerraform", re.sub(r"cdktf\.\w+ToHclTerraform", "", value))
        if not found:
            return None
        return self.block(self.entries.get(found[1].lower(), []), self.output_class(found[1]) or "")

    @staticmethod
    def input_type(sub, kind, storage, many):
        if sub is not None:
            fields = ["object", {name: attribute["type"] for name, attribute in sub["attributes"].items()}]
            if kind == "struct" and not many:
                return fields
            return [kind if kind in ("list", "set", "map") else "list", fields]
        found = INPUT_TYPES.get(storage, "dynamic")
        return ["set", found[1]] if kind == "set" and isinstance(found, list) else found

    def output_type(self, code):
        """The type of a field that can only be read, from the code that reads it."""
        made = re.search(r'= new (\w+)\(this, "\w+"(?:, (true|false))?', code)
        if made and made[1] != "StringMap":
            struct = re.sub(r"(List|Map|OutputReference)$", "", made[1])
            body = self.output_class(struct)
            fields = "dynamic"
            if body is not None:
                fields = ["object", {m[1]: self.output_type(m[5]) for m in FLAGS.finditer(body)}]
            if made[1].endswith("OutputReference"):
                return fields
            if made[1].endswith("Map"):
                return ["map", fields if body is not None else "string"]
            return ["set" if made[2] == "true" else "list", fields]
        for constructor, found in OUTPUT_MAPS.items():
            if constructor in code:
                return found
        getter = re.search(r"this\.(\w+)\('", code)
        found = OUTPUT_TYPES.get(getter[1], "dynamic") if getter else "dynamic"
        return ["set", found[1]] if "cdktf.Fn.tolist(this.get" in code and isinstance(found, list) else found


def written(body):
    """What the class itself writes to Terraform."""
    attributes = re.search(r"synthesizeHclAttributes\(\).*?\{(.*?)\n  \}", body, re.S)
    return ENTRY.findall(attributes[1]) if attributes else []


def read(root):
    """The whole schema of the package whose `lib` is `root`."""
    schemas = {"resource_schemas": {}, "data_source_schemas": {}}
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        if not os.path.isdir(folder):
            continue
        source = typescript(folder)
        package = Package(source)
        if name == "provider":
            # The provider's fields are all arguments, and its class has no flags for some of them: all are optional.
            body = package.top("TerraformProvider")
            schemas["provider"] = {"version": 0, "block": package.block(written(body), "")}
            continue
        kind = re.search(r'tfResourceType = "(\w+)"', source)
        if not kind:
            continue
        body = package.top("TerraformResource", "TerraformDataSource")
        group = "data_source_schemas" if "extends cdktf.TerraformDataSource" in source else "resource_schemas"
        schemas[group][kind[1]] = {"version": 0, "block": package.block(written(body), body)}
        schemas.setdefault("version", re.search(r"providerVersion: '([\d.]+)'", source)[1])
    return schemas


def cached(root, cache):
    """`read(root)`, kept in the folder `cache` under the package's version and this file's own text."""
    import hashlib

    with open(os.path.join(root, "..", "package.json"), encoding="utf-8") as file:
        version = json.load(file)["version"]
    with open(__file__, "rb") as file:
        own = hashlib.sha256(file.read()).hexdigest()[:12]
    path = os.path.join(cache, f"schema-{version}-{own}.json")
    if not os.path.exists(path):
        schemas = read(root)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(schemas, file)
        os.replace(path + ".new", path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
