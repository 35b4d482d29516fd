"""The plugin protocol, read out of the terraform program itself.

Terraform carries the descriptor of `tfplugin6.proto` that it was compiled with. Reading it there gives the messages of the
very version that will call, ephemeral resources and write-only attributes included, and nothing has to be generated.
"""

import mmap

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

NAME = b"tfplugin6.proto"
# FileDescriptorProto has fields 1 to 12 and 14, each a length-delimited text or message.
LENGTH_DELIMITED = 2
FIELDS = {*range(1, 13), 14}


class Protocol:
    """The service's methods and the messages of one terraform program."""

    def __init__(self, program):
        file = descriptor(program)
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
        pool.Add(file)
        self.pool = pool
        self.service = f"{file.package}.{file.service[0].name}"
        self.methods = {
            method.name: (self.message(method.input_type), self.message(method.output_type))
            for method in file.service[0].method
        }

    def message(self, name):
        """The class of a message, by its full name."""
        full = name.lstrip(".") if name.startswith(".") else f"tfplugin6.{name}"
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(full))


def descriptor(program):
    """The descriptor of tfplugin6.proto in a program's bytes."""
    with open(program, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # The file's name is its first field: tag 0x0a, length, text.
        start = data.find(b"\x0a" + bytes([len(NAME)]) + NAME)
        if start < 0:
            raise ValueError(f"{program} has no {NAME.decode()} in it: it is no terraform 1.x")
        found = descriptor_pb2.FileDescriptorProto()
        found.ParseFromString(data[start : end_of_message(data, start)])
        return found


def end_of_message(data, at):
    """Where the run of plausible fields that begins at `at` ends."""
    while True:
        tag, after_tag = varint(data, at)
        if tag & 7 != LENGTH_DELIMITED or tag >> 3 not in FIELDS:
            return at
        length, after_length = varint(data, after_tag)
        at = after_length + length


def varint(data, at):
    """A protobuf varint, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
