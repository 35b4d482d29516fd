//! A registry: sends and fetches images by the distribution specification. Knows nothing of services; what its refusals
//! mean is `refusal`'s matter.

use super::credentials::Login;
use super::layout::{Descriptor, INDEX_TYPE, Layout, MANIFEST_TYPE, Manifest};
use super::platform::Platform;
use super::reference::Reference;
use super::refusal::{self, is_passing};
use crate::exit::{Exit, Failure, Outcome};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Blobs on their way at a time: more do not fill a line that these leave empty.
const CONCURRENT: usize = 3;

/// Pauses before a request is tried again, when it failed for a reason that passes.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// Where Docker keeps the certificates of registries that no public authority knows.
const CERTIFICATES: &str = "/etc/docker/certs.d";

const IMAGE_TYPES: [&str; 4] = [
    MANIFEST_TYPE,
    INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

type Answer<T> = Result<T, OciDistributionError>;

/// A repository in a registry, and who we are to it.
pub(super) struct Remote {
    client: Client,
    repository: Reference,
    auth: RegistryAuth,
    has_login: bool,
    pauses: [Duration; 4],
}

/// Hears how many bytes of a blob have gone: its short digest, so far, in all.
pub(super) type Progress<'p> = &'p dyn Fn(&str, u64, u64);

impl Remote {
    /// Says who we are, and asks to be let in.
    ///
    /// # Errors
    /// A registry that is not there, or does not take the login.
    pub(super) async fn open(
        repository: &Reference,
        login: Option<Login>,
        operation: RegistryOperation,
    ) -> Outcome<Self> {
        // A second call finds the first one's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let registry = repository.registry();
        let config = ClientConfig {
            protocol: protocol(registry),
            extra_root_certificates: certificates(registry)?,
            use_monolithic_push: true,
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("cais/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        // `Client::new` goes on without the configuration where it cannot be used; this says so.
        let client = Client::try_from(config).map_err(|error| {
            Failure::new(Exit::Error, format!("cannot talk to registries: {error}"))
        })?;
        let has_login = login.is_some();
        let mut remote = Self {
            client,
            repository: repository.clone(),
            auth: RegistryAuth::Anonymous,
            has_login,
            pauses: PAUSES,
        };
        remote.auth = match login {
            None => RegistryAuth::Anonymous,
            Some(Login::Password(login)) => RegistryAuth::Basic(login.user, login.password),
            Some(Login::Identity(token)) => {
                let scheme = if is_plain(registry) { "http" } else { "https" };
                let exchanged =
                    super::token::exchange(scheme, repository, &token, operation).await?;
                RegistryAuth::Bearer(exchanged)
            }
        };
        let target = remote.target("");
        let first = remote
            .again(|| remote.client.auth(&target, &remote.auth, operation))
            .await;
        match first {
            // No challenge, and no login needed.
            Ok(_) => Ok(remote),
            Err(error) => Err(remote.failure("cannot be used", &error)),
        }
    }

    /// Sends an image of the layout, and gives it its tag. What the registry has is not sent again.
    pub(super) async fn push(
        &self,
        layout: &Layout,
        image: &Descriptor,
        tag: &str,
        progress: Progress<'_>,
    ) -> Outcome {
        if self.digest(tag).await?.as_deref() == Some(image.digest.as_str()) {
            return Ok(());
        }
        let manifest = layout.manifest(&image.digest)?;
        let blobs: Vec<&Descriptor> = manifest.layers.iter().chain([&manifest.config]).collect();
        futures_util::stream::iter(blobs)
            .map(|blob| self.push_blob(layout, blob, progress))
            .buffer_unordered(CONCURRENT)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        self.push_manifest(&layout.read(&image.digest)?, &image.media_type, tag)
            .await
    }

    async fn push_blob(
        &self,
        layout: &Layout,
        blob: &Descriptor,
        progress: Progress<'_>,
    ) -> Outcome {
        let target = self.target("");
        let short = &blob.digest[7..19];
        // A registry that does not say gets the bytes.
        if self
            .client
            .blob_exists(&target, &blob.digest)
            .await
            .unwrap_or(false)
        {
            progress(short, blob.size, blob.size);
            return Ok(());
        }
        let path = layout.path(&blob.digest);
        let sent = self.again(|| async {
            let file = tokio::fs::File::open(&path).await?;
            let (counter, mut counts) = tokio::sync::watch::channel(0);
            let bytes =
                tokio_util::io::ReaderStream::with_capacity(file, 128 << 10).map(move |chunk| {
                    let chunk: Bytes = chunk?;
                    counter.send_modify(|count| *count += chunk.len() as u64);
                    Ok(chunk)
                });
            let push = self
                .client
                .push_blob_stream(&target, bytes, &blob.digest, Some(blob.size));
            tokio::pin!(push);
            loop {
                tokio::select! {
                    done = &mut push => return done,
                    Ok(()) = counts.changed() => progress(short, *counts.borrow(), blob.size),
                }
            }
        });
        sent.await
            .map(drop)
            .map_err(|error| self.failure("did not take a part of the image", &error))
    }

    /// Stores a manifest under a tag or a digest.
    pub(super) async fn push_manifest(
        &self,
        bytes: &[u8],
        media_type: &str,
        name: &str,
    ) -> Outcome {
        let target = self.target(name);
        let kind: http::HeaderValue = media_type
            .parse()
            .unwrap_or(http::HeaderValue::from_static(MANIFEST_TYPE));
        let sent = self
            .again(|| {
                self.client
                    .push_manifest_raw(&target, bytes.to_vec(), kind.clone())
            })
            .await;
        sent.map(drop).map_err(|error| {
            self.failure(
                &format!("did not take `{}:{name}`", self.repository.name),
                &error,
            )
        })
    }

    /// Stores something about an image beside it, where who asks for the image's referrers finds it.
    pub(super) async fn attach(
        &self,
        subject: &Descriptor,
        artifact_type: &str,
        content: &[u8],
        file: &str,
    ) -> Outcome<String> {
        const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");
        let mut layer = Descriptor::of(artifact_type, content);
        layer
            .annotations
            .insert("org.opencontainers.image.title".to_owned(), file.to_owned());
        let config = Descriptor::of(EMPTY.0, EMPTY.1);
        for (blob, bytes) in [(&config, EMPTY.1), (&layer, content)] {
            let target = self.target("");
            if self
                .client
                .blob_exists(&target, &blob.digest)
                .await
                .unwrap_or(false)
            {
                continue;
            }
            let sent = self.again(|| {
                let bytes = Bytes::copy_from_slice(bytes);
                let stream = futures_util::stream::once(std::future::ready(Ok(bytes)));
                self.client
                    .push_blob_stream(&target, stream, &blob.digest, Some(blob.size))
            });
            sent.await
                .map_err(|error| self.failure(&format!("did not take `{file}`"), &error))?;
        }
        let mut manifest = Manifest::image(config, vec![layer]);
        manifest.artifact_type = Some(artifact_type.to_owned());
        manifest.subject = Some(subject.clone());
        let bytes = manifest.bytes();
        let mut referrer = Descriptor::of(MANIFEST_TYPE, &bytes);
        referrer.artifact_type = Some(artifact_type.to_owned());
        self.push_manifest(&bytes, MANIFEST_TYPE, &referrer.digest)
            .await?;
        self.list_referrer(subject, &referrer).await?;
        Ok(referrer.digest)
    }

    /// Where the registry keeps no list of referrers, it is kept under a tag (distribution-spec, "Pushing Manifests with
    /// Subject").
    async fn list_referrer(&self, subject: &Descriptor, referrer: &Descriptor) -> Outcome {
        let target = self
            .target(&subject.digest)
            .clone_with_digest(subject.digest.clone());
        // oci-client reads the tag where there is no list.
        if let Ok(list) = self.client.pull_referrers(&target, None).await
            && list
                .manifests
                .iter()
                .any(|entry| entry.digest == referrer.digest)
        {
            return Ok(());
        }
        let tag = subject.digest.replace(':', "-");
        let known = self
            .client
            .pull_manifest_raw(&self.target(&tag), &self.auth, &[INDEX_TYPE])
            .await;
        let mut index: serde_json::Value = known
            .ok()
            .and_then(|(bytes, _)| serde_json::from_slice(&bytes).ok())
            .unwrap_or_else(|| serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [] }));
        if let Some(manifests) = index["manifests"].as_array_mut() {
            manifests.push(serde_json::to_value(referrer).unwrap_or_default());
        }
        let bytes = serde_json::to_vec(&index).unwrap_or_default();
        self.push_manifest(&bytes, INDEX_TYPE, &tag).await
    }

    /// The digest that a tag has; `None` where there is no such image.
    pub(super) async fn digest(&self, tag: &str) -> Outcome<Option<String>> {
        let target = self.target(tag);
        match self
            .again(|| self.client.fetch_manifest_digest(&target, &self.auth))
            .await
        {
            Ok(digest) => Ok(Some(digest)),
            Err(error) if refusal::is_absence(&error) => Ok(None),
            Err(error) => Err(self.failure(
                &format!("does not say what `{}:{tag}` is", self.repository.name),
                &error,
            )),
        }
    }

    /// Fetches an image into the layout. Of an image for several platforms, that of one.
    pub(super) async fn pull(
        &self,
        layout: &Layout,
        name: &str,
        platform: &Platform,
        progress: Progress<'_>,
    ) -> Outcome<Descriptor> {
        let what = format!("does not give `{}:{name}` out", self.repository.name);
        let (mut bytes, mut kind) = self.manifest(name, &what).await?;
        if kind == IMAGE_TYPES[1] || kind == IMAGE_TYPES[3] {
            let chosen = for_platform(&bytes, platform).ok_or_else(|| {
                Failure::new(
                    Exit::Error,
                    format!(
                        "`{}:{name}` has no image for {platform}",
                        self.repository.name
                    ),
                )
                .help("set `platform:` to one that it has")
            })?;
            (bytes, kind) = self.manifest(&chosen, &what).await?;
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(
                Exit::Error,
                format!("{} sent no manifest: {error}", self.repository.registry()),
            )
        })?;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            if !layout.has(blob) {
                self.pull_blob(layout, blob, &what, progress).await?;
            }
        }
        layout.put(&kind, &bytes)
    }

    async fn manifest(&self, name: &str, what: &str) -> Outcome<(Vec<u8>, String)> {
        let target = self.target(name);
        let answer = self
            .again(|| {
                self.client
                    .pull_manifest_raw(&target, &self.auth, &IMAGE_TYPES)
            })
            .await;
        let (bytes, _) = answer.map_err(|error| self.failure(what, &error))?;
        let kind = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let kind = kind.and_then(|manifest| manifest["mediaType"].as_str().map(str::to_owned));
        Ok((
            bytes.to_vec(),
            kind.unwrap_or_else(|| MANIFEST_TYPE.to_owned()),
        ))
    }

    async fn pull_blob(
        &self,
        layout: &Layout,
        blob: &Descriptor,
        what: &str,
        progress: Progress<'_>,
    ) -> Outcome {
        let target = self.target("");
        let scratch = layout.scratch()?;
        let path = scratch.path().join("blob");
        let trouble = |error: std::io::Error| super::layout::trouble(&path, &error);
        let mut file = std::fs::File::create(&path).map_err(trouble)?;
        let mut stream = self
            .again(|| self.client.pull_blob_stream(&target, blob.digest.as_str()))
            .await
            .map_err(|error| self.failure(what, &error))?;
        let mut done = 0;
        while let Some(chunk) = stream.next().await {
            let chunk =
                chunk.map_err(|error| self.failure(what, &OciDistributionError::IoError(error)))?;
            file.write_all(&chunk).map_err(trouble)?;
            done += chunk.len() as u64;
            progress(&blob.digest[7..19], done, blob.size);
        }
        layout.adopt(&path, blob)
    }

    /// What requests name: a tag, a digest, or nothing. A digest is given as a tag: it stands in the same place of the
    /// address, and oci-client's way around a registry that answers without a `Location` wants one.
    fn target(&self, name: &str) -> oci_client::Reference {
        oci_client::Reference::with_tag(
            self.repository.registry().to_owned(),
            self.repository.repository(),
            name.to_owned(),
        )
    }

    /// Tries, and tries again after a pause what failed for a reason that passes.
    async fn again<T, F: Future<Output = Answer<T>>>(&self, attempt: impl Fn() -> F) -> Answer<T> {
        for pause in self.pauses {
            match attempt().await {
                Err(error) if is_passing(&error) => {
                    tracing::debug!(%error, "a registry's answer that passes");
                    tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                }
                answer => return answer,
            }
        }
        attempt().await
    }

    fn failure(&self, what: &str, error: &OciDistributionError) -> Failure {
        refusal::failure(&self.repository, what, error, self.has_login)
    }
}

/// The manifest for a platform, of a list of several.
fn for_platform(list: &[u8], platform: &Platform) -> Option<String> {
    let list: serde_json::Value = serde_json::from_slice(list).ok()?;
    let fits = |entry: &&serde_json::Value| {
        let it = &entry["platform"];
        let variant = it["variant"].as_str().filter(|variant| *variant != "v8");
        it["os"] == platform.os.as_str()
            && it["architecture"] == platform.architecture.as_str()
            && (platform.variant.is_none() || variant == platform.variant.as_deref())
    };
    let entry = list["manifests"].as_array()?.iter().find(fits)?;
    entry["digest"].as_str().map(str::to_owned)
}

/// Is it spoken to without TLS? On this machine's own loopback it is, as by Docker, unless a certificate is kept for it.
fn is_plain(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    is_loopback && !Path::new(CERTIFICATES).join(registry).is_dir()
}

fn protocol(registry: &str) -> ClientProtocol {
    if is_plain(registry) {
        ClientProtocol::HttpsExcept(vec![registry.to_owned()])
    } else {
        ClientProtocol::Https
    }
}

fn certificates(registry: &str) -> Outcome<Vec<Certificate>> {
    let folder = Path::new(CERTIFICATES).join(registry);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            let data = std::fs::read(&path).map_err(|error| {
                Failure::new(
                    Exit::Error,
                    format!("cannot read the certificate `{}`: {error}", path.display()),
                )
            })?;
            found.push(Certificate {
                encoding: CertificateEncoding::Pem,
                data,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
