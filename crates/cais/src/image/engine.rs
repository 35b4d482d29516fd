//! Images in a Docker engine: is one there, bring one in (loaded from the project's folder or pulled), take one out.
//! Building is `dockerfile`'s matter.

use super::credentials::{self, Login};
use super::layout::{
    CONFIG_TYPE, Descriptor, LAYER_TYPE, Layout, MANIFEST_TYPE, Manifest, trouble,
};
use super::reference::Reference;
use super::{Event, Report};
use crate::exit::{Exit, Failure, Outcome};
use crate::runtime::docker::engine::{refusal, room, said, status};
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{CreateImageOptions, ImportImageOptions, TagImageOptions};
use bytes::Bytes;
use cais_model::name::ServiceName;
use futures_util::{Stream, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::path::Path;
use tokio::sync::mpsc;

/// The id of an image; `None` where the engine has none of that name.
pub(super) async fn look(engine: &Docker, name: &str) -> Outcome<Option<String>> {
    match engine.inspect_image(name).await {
        Ok(image) => Ok(image.id),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(failed(
            &format!("cannot look for the image `{name}`"),
            &error,
        )),
    }
}

/// Gives an image one more name.
pub(super) async fn tag(engine: &Docker, id: &str, reference: &Reference) -> Outcome {
    let options = TagImageOptions {
        repo: Some(reference.name.clone()),
        tag: reference.tag.clone(),
    };
    let tagged = engine.tag_image(id, Some(options)).await;
    tagged.map_err(|error| failed(&format!("cannot name the image `{reference}`"), &error))
}

/// Brings an image of the project's folder in, unless it is there. Answers with its id.
pub(super) async fn load(
    engine: &Docker,
    layout: &Layout,
    image: &Descriptor,
    reference: &Reference,
) -> Outcome<String> {
    let manifest = layout.manifest(&image.digest)?;
    // An engine with the classic store knows an image by its configuration, one with containerd's by its manifest.
    for id in [&manifest.config.digest, &image.digest] {
        if look(engine, id).await?.is_some() {
            tag(engine, id, reference).await?;
            return Ok(id.clone());
        }
    }
    let parts: Vec<(String, std::path::PathBuf)> = std::iter::once(&manifest.config)
        .chain(&manifest.layers)
        .map(|blob| (file_name(&blob.digest), layout.path(&blob.digest)))
        .collect();
    let list = serde_json::json!([{
        "Config": file_name(&manifest.config.digest),
        "RepoTags": [reference.to_string()],
        "Layers": manifest.layers.iter().map(|layer| file_name(&layer.digest)).collect::<Vec<_>>(),
    }]);
    let archive = piped(move |out| {
        let mut archive = tar::Builder::new(out);
        for (name, path) in &parts {
            archive.append_path_with_name(path, name)?;
        }
        let list = list.to_string();
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(list.len() as u64);
        archive.append_data(&mut header, "manifest.json", list.as_bytes())?;
        archive.finish()
    });
    let mut news =
        Box::pin(engine.import_image_stream(ImportImageOptions::default(), archive, None));
    while let Some(item) = news.next().await {
        let what = || format!("the engine did not take the image `{reference}`");
        let info = item.map_err(|error| failed(&what(), &error))?;
        if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
            return Err(refusal(format!("{}: {message}", what())));
        }
    }
    let name = reference.to_string();
    look(engine, &name).await?.ok_or_else(|| {
        Failure::new(
            Exit::Error,
            format!("the engine took the image `{name}` and does not have it"),
        )
    })
}

fn file_name(digest: &str) -> String {
    digest.trim_start_matches("sha256:").to_owned()
}

/// Takes an image out of the engine into the project's folder: the way to a registry is the same for all images.
pub(super) async fn save(engine: &Docker, layout: &Layout, id: &str) -> Outcome<Descriptor> {
    let scratch = layout.scratch()?;
    let path = scratch.path().join("image.tar");
    let mut out = tokio::fs::File::create(&path)
        .await
        .map_err(|error| trouble(&path, &error))?;
    let mut bytes = Box::pin(engine.export_image(id));
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| {
            failed(
                &format!("the engine did not give the image `{id}` out"),
                &error,
            )
        })?;
        tokio::io::AsyncWriteExt::write_all(&mut out, &chunk)
            .await
            .map_err(|error| trouble(&path, &error))?;
    }
    tokio::io::AsyncWriteExt::flush(&mut out)
        .await
        .map_err(|error| trouble(&path, &error))?;
    unpack(layout, &path, scratch.path())
}

/// One entry of `manifest.json` in an archive of the engine's.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// Reads what `docker save` wrote; packs layers that are not packed.
fn unpack(layout: &Layout, archive: &Path, folder: &Path) -> Outcome<Descriptor> {
    let cannot = |error: std::io::Error| trouble(folder, &error);
    let file = std::fs::File::open(archive).map_err(cannot)?;
    let mut archive = tar::Archive::new(std::io::BufReader::new(file));
    archive.set_preserve_permissions(false);
    let unpacked = folder.join("files");
    archive.unpack(&unpacked).map_err(cannot)?;
    let strange = |what: &str| {
        Failure::new(
            Exit::Error,
            format!("the engine gave the image out in a form that cais does not read: {what}"),
        )
    };
    let list =
        std::fs::read(unpacked.join("manifest.json")).map_err(|_| strange("no manifest.json"))?;
    let saved: Vec<Saved> =
        serde_json::from_slice(&list).map_err(|error| strange(&error.to_string()))?;
    let [saved] = saved.as_slice() else {
        return Err(strange("not one image"));
    };
    // Names in the archive are the engine's; a path that climbs is not.
    let inside = |name: &str| {
        let is_plain = Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        is_plain
            .then(|| unpacked.join(name))
            .ok_or_else(|| strange(name))
    };
    let config = std::fs::read(inside(&saved.config)?).map_err(cannot)?;
    let config = layout.put(CONFIG_TYPE, &config)?;
    let mut layers = Vec::new();
    for name in &saved.layers {
        let path = inside(name)?.canonicalize().map_err(cannot)?;
        if !path.starts_with(unpacked.canonicalize().map_err(cannot)?) {
            return Err(strange(name));
        }
        layers.push(pack(layout, &path)?);
    }
    layout.put(MANIFEST_TYPE, &Manifest::image(config, layers).bytes())
}

fn pack(layout: &Layout, path: &Path) -> Outcome<Descriptor> {
    let mut file = std::fs::File::open(path).map_err(|error| trouble(path, &error))?;
    let (layer, ()) = layout.put_with(LAYER_TYPE, |out| {
        let mut head = Vec::new();
        (&mut file).take(2).read_to_end(&mut head)?;
        let mut whole = head.as_slice().chain(&mut file);
        if head == [0x1f, 0x8b] {
            return std::io::copy(&mut whole, out).map(drop);
        }
        let mut packed = super::assemble::gzip(out);
        std::io::copy(&mut whole, &mut packed)?;
        packed.finish().map(drop)
    })?;
    Ok(layer)
}

/// Pulls an image. Answers with its id.
pub(super) async fn pull(
    engine: &Docker,
    reference: &Reference,
    platform: Option<&str>,
    variables: &BTreeMap<String, String>,
    service: &ServiceName,
    report: &dyn Report,
) -> Outcome<String> {
    report.event(service, Event::Step(&format!("pulling {reference}")));
    let registry = reference.registry();
    let login = credentials::find(variables, registry).await?;
    let options = CreateImageOptions {
        from_image: Some(reference.name.clone()),
        // A digest takes the tag's place.
        tag: reference
            .digest
            .clone()
            .or_else(|| reference.tag.clone())
            .or_else(|| Some("latest".to_owned())),
        platform: platform.unwrap_or_default().to_owned(),
        ..CreateImageOptions::default()
    };
    let has_login = login.is_some();
    let mut news = Box::pin(engine.create_image(
        Some(options),
        None,
        login.map(|login| for_engine(login, registry)),
    ));
    while let Some(item) = news.next().await {
        let info = item.map_err(|error| not_pulled(reference, &said(&error), has_login))?;
        if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
            return Err(not_pulled(reference, &message, has_login));
        }
        let progress = info.progress_detail.unwrap_or_default();
        if let (Some(layer), Some(done), Some(total)) = (&info.id, progress.current, progress.total)
            && info.status.as_deref() == Some("Downloading")
        {
            let (done, total) = (done.unsigned_abs(), total.unsigned_abs());
            report.event(
                service,
                Event::Bytes {
                    what: layer,
                    done,
                    total,
                },
            );
        }
    }
    let name = reference.to_string();
    look(engine, &name).await?.ok_or_else(|| {
        not_pulled(
            reference,
            "the engine does not have it afterwards",
            has_login,
        )
    })
}

fn for_engine(login: Login, registry: &str) -> DockerCredentials {
    let serveraddress = Some(credentials::address(registry).to_owned());
    match login {
        Login::Password(login) => DockerCredentials {
            username: Some(login.user),
            password: Some(login.password),
            serveraddress,
            ..DockerCredentials::default()
        },
        Login::Identity(token) => DockerCredentials {
            identitytoken: Some(token),
            serveraddress,
            ..DockerCredentials::default()
        },
    }
}

/// The credentials of the registries that a Dockerfile's base images come from.
pub(super) async fn for_build(
    variables: &BTreeMap<String, String>,
    registries: &[String],
) -> Outcome<HashMap<String, DockerCredentials>> {
    let mut all = HashMap::new();
    for registry in registries {
        if let Some(login) = credentials::find(variables, registry).await? {
            all.insert(
                credentials::address(registry).to_owned(),
                for_engine(login, registry),
            );
        }
    }
    Ok(all)
}

fn not_pulled(reference: &Reference, why: &str, has_login: bool) -> Failure {
    let registry = reference.registry();
    let lower = why.to_ascii_lowercase();
    let help = if lower.contains("toomanyrequests") || lower.contains("rate limit") {
        format!("log in for a higher limit: `docker login {registry}`; or wait")
    } else if lower.contains("denied")
        || lower.contains("unauthorized")
        || lower.contains("authentication")
    {
        match has_login {
            true => format!("check the name, and whether your login at {registry} may read it"),
            false => {
                format!("check the name; if it is private, log in first: `docker login {registry}`")
            }
        }
    } else if lower.contains("not found") || lower.contains("manifest unknown") {
        "check the name and the tag".to_owned()
    } else if let Some(help) = room(why) {
        help.to_owned()
    } else {
        format!("check that this machine reaches {registry}")
    };
    Failure::new(
        Exit::Error,
        format!("the image `{reference}` cannot be pulled: {why}"),
    )
    .help(help)
}

pub(super) fn failed(what: &str, error: &bollard::errors::Error) -> Failure {
    refusal(format!("{what}: {}", said(error)))
}

/// What a thread writes, as a stream.
pub(super) fn piped(
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(16);
    tokio::task::spawn_blocking(move || {
        let mut out = std::io::BufWriter::with_capacity(128 << 10, Pipe(&sender));
        if let Err(error) = write(&mut out).and_then(|()| out.flush()) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}

struct Pipe<'s>(&'s mpsc::Sender<std::io::Result<Bytes>>);

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        // The other side gave up.
        sent.map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
