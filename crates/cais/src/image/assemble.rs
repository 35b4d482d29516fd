//! An image of one static program, made from bytes alone: certificates, two users, a folder for temporary files, the
//! program. The same program and the same description give the same digest, on every path and at every time.

use super::layout::{CONFIG_TYPE, Descriptor, LAYER_TYPE, Layout, MANIFEST_TYPE, Manifest};
use super::platform::Platform;
use super::version::digest;
use crate::exit::{Exit, Failure, Outcome};
use base64::Engine;
use flate2::{Compression, GzBuilder};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use tar::EntryType;

/// The user that the program runs as: no root, and the number that distroless images use.
const USER: &str = "65532:65532";

const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";
const NSSWITCH: &str = "hosts: files dns\n";
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Everything was made then; an image has no other time, or two builds would differ.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What is known of the image besides its program.
pub(crate) struct Description<'d> {
    /// Name of the program in the image's root.
    pub(crate) program: &'d str,
    pub(crate) platform: &'d Platform,
    /// TCP ports that it says it listens on.
    pub(crate) ports: &'d [u16],
    pub(crate) labels: BTreeMap<String, String>,
}

/// Assembles the image and keeps it in the layout. Answers with its manifest's descriptor.
pub(crate) fn image(
    layout: &Layout,
    program: &[u8],
    about: &Description<'_>,
) -> Outcome<Descriptor> {
    let base = layer(base)?;
    let own = layer(|archive| entry(archive, about.program, EntryType::Regular, 0o755, program))?;
    let config = config(about, &[&base.unpacked, &own.unpacked]);
    let config = layout.put(CONFIG_TYPE, &config)?;
    let layers = vec![
        layout.put(LAYER_TYPE, &base.packed)?,
        layout.put(LAYER_TYPE, &own.packed)?,
    ];
    layout.put(MANIFEST_TYPE, &Manifest::image(config, layers).bytes())
}

/// A layer: compressed, and the digest of what it is uncompressed.
struct Layer {
    packed: Vec<u8>,
    unpacked: String,
}

type Archive = tar::Builder<Vec<u8>>;

fn layer(fill: impl FnOnce(&mut Archive) -> std::io::Result<()>) -> Outcome<Layer> {
    let mut archive = tar::Builder::new(Vec::new());
    let done = fill(&mut archive).and_then(|()| archive.into_inner());
    let plain = done.map_err(|error| impossible(&error))?;
    let packed = compress(&plain).map_err(|error| impossible(&error))?;
    Ok(Layer {
        packed,
        unpacked: digest(&plain),
    })
}

/// gzip with no time and no system's name in its head.
fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = gzip(Vec::new());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The compressor of all layers that cais packs.
pub(crate) fn gzip<W: Write>(out: W) -> flate2::write::GzEncoder<W> {
    GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(out, Compression::new(6))
}

/// What every image has, one layer for all of them: a registry and an engine keep it once.
fn base(archive: &mut Archive) -> std::io::Result<()> {
    entry(archive, "etc/", EntryType::Directory, 0o755, b"")?;
    entry(
        archive,
        "etc/group",
        EntryType::Regular,
        0o644,
        GROUP.as_bytes(),
    )?;
    entry(
        archive,
        "etc/nsswitch.conf",
        EntryType::Regular,
        0o644,
        NSSWITCH.as_bytes(),
    )?;
    entry(
        archive,
        "etc/passwd",
        EntryType::Regular,
        0o644,
        PASSWD.as_bytes(),
    )?;
    entry(archive, "etc/ssl/", EntryType::Directory, 0o755, b"")?;
    entry(archive, "etc/ssl/certs/", EntryType::Directory, 0o755, b"")?;
    entry(
        archive,
        CERTIFICATES,
        EntryType::Regular,
        0o644,
        certificates().as_bytes(),
    )?;
    entry(archive, "tmp/", EntryType::Directory, 0o1777, b"")
}

fn entry(
    archive: &mut Archive,
    path: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

/// Mozilla's root certificates, as the programs of every language look for them.
fn certificates() -> String {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let text = base64::engine::general_purpose::STANDARD.encode(certificate.as_ref());
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// The image's configuration (image-spec, "Image Configuration").
fn config(about: &Description<'_>, layers: &[&str]) -> Vec<u8> {
    let ports: BTreeMap<String, BTreeMap<(), ()>> = about
        .ports
        .iter()
        .map(|port| (format!("{port}/tcp"), BTreeMap::new()))
        .collect();
    let mut config = json!({
        "created": EPOCH,
        "architecture": about.platform.architecture,
        "os": about.platform.os,
        "config": {
            "User": USER,
            // A program that listens on loopback alone is heard by nobody: a container has a loopback of its own.
            "Env": ["PATH=/".to_owned(), format!("SSL_CERT_FILE=/{CERTIFICATES}"), "HOST=0.0.0.0".to_owned()],
            "Entrypoint": [format!("/{}", about.program)],
            "WorkingDir": "/",
            "ExposedPorts": ports.into_keys().map(|port| (port, json!({}))).collect::<serde_json::Map<_, _>>(),
            "Labels": about.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": layers },
        "history": [
            { "created": EPOCH, "created_by": "cais: certificates, users, /tmp" },
            { "created": EPOCH, "created_by": format!("cais: /{}", about.program) },
        ],
    });
    if let Some(variant) = &about.platform.variant {
        config["variant"] = json!(variant);
    }
    serde_json::to_vec(&config).unwrap_or_default()
}

/// Writing to memory fails only for a name that an archive cannot hold.
fn impossible(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Error,
        format!("the image cannot be assembled: {error}"),
    )
    .help("give the program's file a shorter name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn assemble(program: &[u8], revision: &str) -> (tempfile::TempDir, Descriptor) {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::open(&root.path().join("images")).unwrap();
        let about = Description {
            program: "clock",
            platform: &Platform::parse("linux/amd64").unwrap(),
            ports: &[8080],
            labels: [(
                "org.opencontainers.image.revision".to_owned(),
                revision.to_owned(),
            )]
            .into(),
        };
        let manifest = image(&layout, program, &about).unwrap();
        drop(layout);
        (root, manifest)
    }

    #[test]
    fn the_digest_is_of_what_goes_in() {
        let (_one, first) = assemble(b"program", "abc");
        let (_two, again) = assemble(b"program", "abc");
        assert_eq!(first, again, "another folder, another time");
        assert_ne!(first, assemble(b"PROGRAM", "abc").1);
        assert_ne!(first, assemble(b"program", "abd").1);
    }

    #[test]
    fn the_image_has_users_certificates_and_the_program_and_nothing_of_this_machine() {
        let (root, manifest) = assemble(b"program", "abc");
        let layout = Layout::open(&root.path().join("images")).unwrap();
        let manifest = layout.manifest(&manifest.digest).unwrap();
        let config: serde_json::Value =
            serde_json::from_slice(&layout.read(&manifest.config.digest).unwrap()).unwrap();
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/clock"]));
        assert_eq!(config["config"]["ExposedPorts"], json!({"8080/tcp": {}}));
        let mut found = Vec::new();
        for (index, layer) in manifest.layers.iter().enumerate() {
            let mut plain = Vec::new();
            let packed = layout.read(&layer.digest).unwrap();
            assert_eq!(packed[4..8], [0; 4], "no time in gzip's head");
            flate2::read::GzDecoder::new(packed.as_slice())
                .read_to_end(&mut plain)
                .unwrap();
            assert_eq!(config["rootfs"]["diff_ids"][index], digest(&plain));
            let mut archive = tar::Archive::new(plain.as_slice());
            for entry in archive.entries().unwrap() {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(
                    (
                        header.mtime().unwrap(),
                        header.uid().unwrap(),
                        header.gid().unwrap()
                    ),
                    (0, 0, 0)
                );
                found.push(format!(
                    "{} {:o}",
                    entry.path().unwrap().display(),
                    header.mode().unwrap()
                ));
            }
        }
        assert_eq!(
            found,
            [
                "etc/ 755",
                "etc/group 644",
                "etc/nsswitch.conf 644",
                "etc/passwd 644",
                "etc/ssl/ 755",
                "etc/ssl/certs/ 755",
                "etc/ssl/certs/ca-certificates.crt 644",
                "tmp/ 1777",
                "clock 755",
            ]
        );
    }

    #[test]
    fn the_certificates_are_in_the_form_that_programs_read() {
        let pem = certificates();
        let count = pem.matches("-----BEGIN CERTIFICATE-----\n").count();
        assert!(count > 50 && count == pem.matches("-----END CERTIFICATE-----\n").count());
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
