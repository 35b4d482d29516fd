//! A registry made of a stub: what is asked of it, and what its answers lead to.

use super::*;

#[test]
fn loopback_is_spoken_to_without_tls() {
    for (registry, want) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("127.1.2.3", true),
        ("[::1]:5000", true),
        ("docker.io", false),
        ("10.0.0.1:5000", false),
        ("localhost.example.com", false),
    ] {
        assert_eq!(is_plain(registry), want, "{registry}");
    }
}

type Asked = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

/// A registry on loopback that gives these answers, one a connection, the last for ever; and what it was asked.
fn stub(answers: &'static [&'static str]) -> (String, Asked) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let asked = Asked::default();
    let (own, heard) = (host.clone(), asked.clone());
    std::thread::spawn(move || {
        let forever = answers.last().into_iter().cycle();
        for (stream, answer) in listener.incoming().zip(answers.iter().chain(forever)) {
            let mut stream = stream.unwrap();
            heard.lock().unwrap().push(request(&stream));
            stream
                .write_all(answer.replace("HOST", &own).as_bytes())
                .unwrap();
        }
    });
    (host, asked)
}

/// First line, `Authorization` and body of a request.
fn request(stream: &std::net::TcpStream) -> String {
    use std::io::{BufRead, BufReader, Read};
    let mut reader = BufReader::new(stream);
    let (mut told, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix("content-length: ") {
            length = number.trim().parse().unwrap();
        }
        if told.is_empty() || lower.starts_with("authorization: ") {
            told.push_str(line.trim());
            told.push(' ');
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    told + &String::from_utf8_lossy(&body)
}

/// Of no bytes at all.
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const FOUND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nDocker-Content-Digest: \
    sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n\r\n";

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (host, asked) = stub(&[OK, BUSY, BUSY, FOUND]);
    let repository = Reference::parse(&format!("{host}/acme/app")).unwrap();
    let mut remote = Remote::open(&repository, None, RegistryOperation::Pull)
        .await
        .unwrap();
    remote.pauses = [Duration::from_millis(1); 4];
    assert_eq!(remote.digest("1").await.unwrap().as_deref(), Some(EMPTY));
    assert!(asked.lock().unwrap().len() >= 4);
}

#[tokio::test]
async fn what_stays_is_told_after_a_few_tries() {
    let (host, _asked) = stub(&[OK, BUSY]);
    let repository = Reference::parse(&format!("{host}/acme/app")).unwrap();
    let mut remote = Remote::open(&repository, None, RegistryOperation::Pull)
        .await
        .unwrap();
    remote.pauses = [Duration::from_millis(1); 4];
    let failure = remote.digest("1").await.unwrap_err();
    assert_eq!(
        failure.message,
        format!("`{host}` does not say what `{host}/acme/app:1` is: status 503")
    );
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_not_sent_to_the_registry() {
    let (host, asked) = stub(&[
        "HTTP/1.1 401 Who\r\nWWW-Authenticate: Bearer realm=\"http://HOST/token\",service=\"s\"\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 27\r\nConnection: close\r\n\r\n{\"access_token\": \"granted\"}",
        FOUND,
    ]);
    let repository = Reference::parse(&format!("{host}/acme/app")).unwrap();
    let login = Some(Login::Identity("refresh-marker".to_owned()));
    let remote = Remote::open(&repository, login, RegistryOperation::Push)
        .await
        .unwrap();
    remote.digest("1").await.unwrap();
    let asked = asked.lock().unwrap().clone();
    let form = "grant_type=refresh_token&refresh_token=refresh-marker&client_id=cais&service=s&scope=repository%3Aacme%2Fapp%3Apull%2Cpush";
    assert!(
        asked[1].starts_with("POST /token") && asked[1].ends_with(form),
        "{asked:#?}"
    );
    assert!(
        asked[2].contains("Bearer granted") && !asked[2].contains("refresh-marker"),
        "{asked:#?}"
    );
}

#[test]
fn the_manifest_of_the_platform_is_chosen() {
    let list = serde_json::json!({ "manifests": [
        { "digest": "a", "platform": { "os": "linux", "architecture": "amd64" } },
        { "digest": "b", "platform": { "os": "linux", "architecture": "arm", "variant": "v6" } },
        { "digest": "c", "platform": { "os": "linux", "architecture": "arm", "variant": "v7" } },
        { "digest": "d", "platform": { "os": "linux", "architecture": "arm64", "variant": "v8" } },
    ]});
    let list = list.to_string();
    for (platform, want) in [
        ("linux/amd64", Some("a")),
        ("linux/arm/v7", Some("c")),
        ("linux/arm", Some("b")),
        ("linux/arm64", Some("d")),
        ("linux/riscv64", None),
    ] {
        let platform = Platform::parse(platform).unwrap();
        assert_eq!(
            for_platform(list.as_bytes(), &platform).as_deref(),
            want,
            "{platform}"
        );
    }
}
