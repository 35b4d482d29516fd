//! Whether a program can run in an image that holds nothing else: an ELF file, linked statically, for the wanted
//! platform. Reads its headers; runs nothing.

use super::platform::Platform;
use crate::exit::{Exit, Failure, Outcome};
use std::path::Path;

/// Bytes of a file that hold its headers: linkers put them at its start.
const HEAD: usize = 64 << 10;

const PT_INTERP: u32 = 3;

/// What the headers say.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Needs nothing; the architecture in OCI's word.
    Static(&'static str),
    /// Needs this loader, and so the libraries that it loads.
    Dynamic(String),
    /// Something else, in words.
    Other(&'static str),
}

/// Refuses a program that the image could not start.
pub(crate) fn check(
    program: &Path,
    bytes: &[u8],
    platform: &Platform,
    command: Option<&str>,
) -> Outcome {
    let shown = program.display();
    let failed = |what: String| Failure::new(Exit::Error, format!("`{shown}` {what}"));
    match kind(&bytes[..bytes.len().min(HEAD)]) {
        Kind::Static(architecture) if architecture == platform.architecture => Ok(()),
        Kind::Static(architecture) => Err(failed(format!(
            "is a program for linux/{architecture}, and the image is for {platform}"
        ))
        .help(format!(
            "build it for {platform} (the build command finds it in TARGETPLATFORM), or ask for `--platform linux/{architecture}`"
        ))),
        Kind::Dynamic(loader) => Err(failed(format!(
            "is linked against shared libraries ({loader} loads them), and the image has none"
        ))
        .help(advice(command, platform))),
        Kind::Other(what) => Err(failed(format!("is {what}, not a Linux program"))
            .help("name the program that the build makes in `x-cais.image.artifact`; for anything else write a Dockerfile and `build:`")),
    }
}

/// How to link statically, for the language that the command speaks.
fn advice(command: Option<&str>, platform: &Platform) -> String {
    let mut words = command.unwrap_or_default().split_whitespace();
    if words.any(|word| word == "go") {
        return "link it statically: `CGO_ENABLED=0 go build …`".to_owned();
    }
    let machine = match platform.architecture.as_str() {
        "arm64" => "aarch64",
        _ => "x86_64",
    };
    format!(
        "link it statically: `RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target {machine}-unknown-linux-gnu`, \
         and name the file below that target's folder in `x-cais.image.artifact`"
    )
}

fn kind(head: &[u8]) -> Kind {
    match head {
        [0x7f, b'E', b'L', b'F', ..] => elf(head).unwrap_or(Kind::Other("a damaged ELF file")),
        [b'#', b'!', ..] => Kind::Other("a script"),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            Kind::Other("a program for macOS")
        }
        [b'M', b'Z', ..] => Kind::Other("a program for Windows"),
        [] => Kind::Other("empty"),
        _ => Kind::Other("no program that cais knows"),
    }
}

/// The fields of the ELF header and its program headers (System V ABI, "Object Files").
fn elf(head: &[u8]) -> Option<Kind> {
    let is_64 = *head.get(4)? == 2;
    let is_little = *head.get(5)? == 1;
    let number = |at: usize, width: usize| -> Option<usize> {
        let bytes = head.get(at..at + width)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let value = if is_little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        };
        usize::try_from(value).ok()
    };
    let architecture = match (number(18, 2)?, is_64, is_little) {
        (62, true, true) => "amd64",
        (183, true, true) => "arm64",
        (243, true, true) => "riscv64",
        (22, true, false) => "s390x",
        (21, true, true) => "ppc64le",
        (3, false, true) => "386",
        (40, false, true) => "arm",
        _ => return Some(Kind::Other("a program for another kind of machine")),
    };
    // e_phoff, e_phentsize, e_phnum; p_offset and p_filesz of an entry.
    let (table, size, count) = if is_64 {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for index in 0..count {
        let entry = table.checked_add(index.checked_mul(size)?)?;
        if number(entry, 4)? != PT_INTERP as usize {
            continue;
        }
        let (offset, length) = if is_64 {
            (number(entry + 8, 8)?, number(entry + 32, 8)?)
        } else {
            (number(entry + 4, 4)?, number(entry + 16, 4)?)
        };
        let name = head
            .get(offset..offset.checked_add(length)?)
            .unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        return Some(Kind::Dynamic(name.trim_end_matches('\0').to_owned()));
    }
    Some(Kind::Static(architecture))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with one program header after it.
    fn program(machine: u8, segment: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        bytes[18] = machine;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = segment;
        bytes[64 + 8] = 120;
        bytes[64 + 32] = 8;
        bytes.extend(b"/lib/ld\0");
        bytes
    }

    #[test]
    fn a_program_is_known_by_its_headers() {
        let cases: &[(&[u8], Kind)] = &[
            (&program(62, 1), Kind::Static("amd64")),
            (&program(183, 1), Kind::Static("arm64")),
            (&program(62, 3), Kind::Dynamic("/lib/ld".to_owned())),
            (&program(62, 3)[..80], Kind::Other("a damaged ELF file")),
            (
                &program(8, 1),
                Kind::Other("a program for another kind of machine"),
            ),
            (b"\x7fELF", Kind::Other("a damaged ELF file")),
            (b"#!/bin/sh\n", Kind::Other("a script")),
            (b"\xcf\xfa\xed\xfe", Kind::Other("a program for macOS")),
            (b"", Kind::Other("empty")),
            (b"hello", Kind::Other("no program that cais knows")),
        ];
        for (bytes, want) in cases {
            assert_eq!(kind(bytes), *want);
        }
    }

    #[test]
    fn the_test_itself_is_a_dynamic_program() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let platform = Platform::of_this_machine();
        match kind(&own[..own.len().min(HEAD)]) {
            Kind::Dynamic(loader) => assert!(loader.contains("ld"), "{loader}"),
            other => assert_eq!(
                other,
                Kind::Static(if platform.architecture == "arm64" {
                    "arm64"
                } else {
                    "amd64"
                })
            ),
        }
    }

    #[test]
    fn a_refusal_says_what_to_type() {
        let platform = Platform::parse("linux/arm64").unwrap();
        let refused = |bytes: &[u8], command: &str| {
            check(Path::new("out/app"), bytes, &platform, Some(command)).unwrap_err()
        };
        let other = refused(&program(62, 1), "make");
        assert_eq!(
            other.message,
            "`out/app` is a program for linux/amd64, and the image is for linux/arm64"
        );
        let shared = refused(&program(183, 3), "cargo build");
        assert_eq!(
            shared.message,
            "`out/app` is linked against shared libraries (/lib/ld loads them), and the image has none"
        );
        assert!(
            shared
                .help
                .unwrap()
                .contains("--target aarch64-unknown-linux-gnu")
        );
        assert!(
            refused(&program(183, 3), "go build")
                .help
                .unwrap()
                .contains("CGO_ENABLED=0")
        );
        assert!(check(Path::new("a"), &program(183, 1), &platform, None).is_ok());
    }
}
