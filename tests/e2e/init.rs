//! `cais init` and `cais completion`: a folder without a Compose file becomes a stack that runs, and a real shell is told names.

use crate::support::{Stack, golden, has_program, http, skip};
use std::path::Path;
use std::process::Command;

/// A folder without a Compose file.
fn folder(files: &[(&str, &str)]) -> Stack {
    let stack = Stack::new("");
    stack.remove("compose.yaml");
    stack.remove("service.py");
    for (name, text) in files {
        let file = stack.folder().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    stack
}

const PYTHON: &str = "import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'hello from python')
ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

const RUST: &str = r#"use std::io::{Read, Write};
fn main() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    for stream in std::net::TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let text = "hello from rust";
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    }
}
"#;

/// What init wrote is a valid file without errors, and what it runs answers.
#[track_caller]
fn runs(stack: &Stack, want: &str) {
    stack.cais("init").ok();
    stack.cais("config -q").ok();
    stack.cais("check --no-tools --fail-on error").ok();
    let port = stack.machine.port();
    let file = stack.folder().join("compose.yaml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str(&format!("x-cais: {{ listen: 127.0.0.1:{port} }}\n"));
    stack.compose(&text);
    stack.cais("up -d --wait").ok();
    assert_eq!(http::get(port, "/").unwrap().body.trim(), want);
}

#[test]
fn a_python_program_runs_from_what_init_wrote() {
    runs(&folder(&[("main.py", PYTHON)]), "hello from python");
}

#[test]
fn a_rust_program_is_built_and_runs_from_what_init_wrote() {
    let stack = folder(&[
        (
            "Cargo.toml",
            "[package]\nname = \"greeter\"\nedition = \"2021\"\n[workspace]\n",
        ),
        ("src/main.rs", RUST),
    ]);
    // The toolchain is the one thing of the real home that a test's machine has too.
    let home = std::env::var("HOME").unwrap_or_default();
    for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
        let value = std::env::var(name).unwrap_or(format!("{home}/{folder}"));
        stack.machine.set(name, &value);
    }
    runs(&stack, "hello from rust");
}

#[test]
fn programs_of_every_kind_are_found() {
    let stack = folder(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"apps/*\"]\n"),
        ("apps/clock/Cargo.toml", "[package]\nname = \"clock\"\n"),
        (
            "apps/clock/src/main.rs",
            "fn main() { \"/healthz\"; \"PORT\"; }\n",
        ),
        (
            "apps/clock/Dockerfile",
            "FROM scratch\nCOPY Cargo.toml /\nEXPOSE 3000\n",
        ),
        ("apps/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        (
            "web/package.json",
            r#"{"name": "@shop/web", "scripts": {"start": "node .", "build": "tsc"}, "dependencies": {"x": "1"}}"#,
        ),
        ("web/package-lock.json", "{}"),
        (
            "web/node_modules/x/package.json",
            r#"{"scripts": {"start": "x"}}"#,
        ),
        ("api/requirements.txt", "fastapi\n"),
        (
            "api/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n",
        ),
        ("jobs/go.mod", "module example.com/jobs\n"),
        (
            "jobs/main.go",
            "package main\nfunc main() { os.Getenv(\"PORT\") }\n",
        ),
        ("my site/Dockerfile", "FROM nginx\nEXPOSE 80\n"),
    ]);
    golden::check("init", &stack, &stack.cais("init -o -").ok());
    stack.cais("init --json").ok();
    stack.cais("config -q").ok();
}

#[test]
fn a_file_that_is_there_stays() {
    let stack = folder(&[
        ("main.py", PYTHON),
        ("docker-compose.yml", "services: {}\n"),
    ]);
    let ran = stack.cais("init");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("`docker-compose.yml` is there already"));
    assert!(!stack.folder().join("compose.yaml").exists());
    stack.cais("init --force").ok();
    assert!(stack.folder().join("compose.yaml").exists());
    let empty = folder(&[("notes.txt", "")]);
    let ran = empty.cais("init");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing to run was found"));
}

const NAMED: &str = "services:
  web: {image: w}
  worker: {image: w}
  tool: {image: t, profiles: [debugging]}
";

/// As readline does it: the words, the cursor's word, then the function that was registered.
const BASH_ASKS: &str = "source <(cais completion bash)
    ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9; COMPREPLY=()
        \"$(complete -p cais | sed 's/.*-F \\([^ ]*\\).*/\\1/')\" cais \"${@: -1}\" \"${@: -2:1}\"
        echo \"$*: ${COMPREPLY[*]}\"; }";

#[test]
fn bash_is_told_verbs_services_environments_and_profiles() {
    let stack = Stack::new(NAMED);
    stack.write("compose.staging.yaml", "services: {}\n");
    stack.write("other.yaml", "services: {xylophone: {image: x}}\n");
    let asks = format!(
        "{BASH_ASKS}
        ask cais rest; ask cais logs w; ask cais scale wo; ask cais -E s; ask cais --profile d; ask cais -f other.yaml logs x
        ask cais logs ''; ask cais logs --fo"
    );
    let want = "cais rest: restart\ncais logs w: web worker\ncais scale wo: worker=\ncais -E s: staging\n\
                cais --profile d: debugging\ncais -f other.yaml logs x: xylophone\n\
                cais logs : web worker\ncais logs --fo: --follow --format\n";
    assert_eq!(told(&stack, "bash", &["-c", &asks]), want);
}

#[test]
fn powershell_registers_cais() {
    let script = Stack::new(NAMED).cais("completion powershell").ok().stdout;
    assert!(
        script.contains("Register-ArgumentCompleter -Native -CommandName cais"),
        "{script}"
    );
}

#[test]
fn fish_is_told_services() {
    const NAME: &str = "init::fish_is_told_services";
    if !has_program("fish") {
        return skip(NAME, "fish is not installed");
    }
    let asks = "cais completion fish | source; complete --do-complete 'cais logs w' | cut -f1";
    let told = told(&Stack::new(NAMED), "fish", &["-c", asks]);
    assert_eq!(told, "web\nworker\n");
}

#[test]
fn zsh_completes_the_name_of_a_service() {
    const NAME: &str = "init::zsh_completes_the_name_of_a_service";
    if !has_program("zsh") {
        return skip(NAME, "zsh is not installed");
    }
    let stack = Stack::new(NAMED);
    assert_eq!(after_tab_in_zsh(&stack, "cais logs wo"), "cais logs worker");
}

/// What stands on the line of a zsh that takes keys from a terminal, after these and a Tab: ^X writes it down.
fn after_tab_in_zsh(stack: &Stack, keys: &str) -> String {
    let types = r#"zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'autoload -U compinit; compinit -u -D; source <(cais completion zsh)
            report() { print -r -- "$BUFFER" >told; exit }; zle -N report; bindkey "^X" report; PS1=REA; PS1+=DY'
        zpty -r shell seen '*READY*'
        zpty -w -n shell "$1"$'\t\x18'
        while zpty -t shell; do zpty -r shell seen; done
        cat told"#;
    let words = ["30", "zsh", "-f", "-c", types, "zsh", keys];
    told(stack, "timeout", &words).trim().to_owned()
}

#[test]
fn a_tab_after_rollback_offers_the_services_and_the_revisions_to_go_back_to() {
    const NAME: &str =
        "init::a_tab_after_rollback_offers_the_services_and_the_revisions_to_go_back_to";
    let text = |revision: &str| {
        format!(
            "services:
  web: {{command: sleep 600, environment: {{REVISION: '{revision}'}}, stop_signal: SIGKILL}}
  worker: {{command: sleep 600, stop_signal: SIGKILL}}
"
        )
    };
    let stack = Stack::new(&text("a"));
    stack.cais("up -d --wait").ok();
    stack.compose(&text("b"));
    stack.cais("deploy web").ok();
    let is_installed = |shell: &str| {
        let is_there = has_program(shell);
        if !is_there {
            skip(NAME, &format!("{shell} is not installed"));
        }
        is_there
    };
    if is_installed("zsh") {
        let typed = after_tab_in_zsh(&stack, "cais rollback web ");
        assert_eq!(typed.trim_end(), "cais rollback web 1");
        let typed = after_tab_in_zsh(&stack, "cais rollback wo");
        assert_eq!(typed.trim_end(), "cais rollback worker");
    }
    stack.compose(&text("c"));
    stack.cais("deploy web").ok();
    if is_installed("fish") {
        let asks = "cais completion fish | source; complete --do-complete 'cais rollback web '";
        let said = told(&stack, "fish", &["-c", asks]);
        let offered: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        assert!(
            matches!(offered[..], [("2", when), ("1", _)] if when.starts_with("of 20")),
            "{said}"
        );
    }
    let bash = |words: &str| {
        told(
            &stack,
            "bash",
            &["-c", &format!("{BASH_ASKS}\nask {words}")],
        )
    };
    assert_eq!(bash("cais rollback ''"), "cais rollback : web worker\n");
    assert_eq!(bash("cais rollback web ''"), "cais rollback web : 2 1\n");
    // A rollback moves what a Tab offers next.
    stack.cais("rollback web 1").ok();
    assert_eq!(bash("cais rollback web ''"), "cais rollback web : 3 2\n");
    let elsewhere = bash("cais -E production rollback web ''");
    assert!(
        !elsewhere.contains(|c: char| c.is_ascii_digit()),
        "{elsewhere}"
    );
}

/// What a shell prints that finds the binary under test as `cais`.
fn told(stack: &Stack, shell: &str, words: &[&str]) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_cais"));
    let mut command = stack.on_this_machine(Command::new(shell));
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = binary.parent().unwrap().display();
    let ran = command
        .env("PATH", format!("{folder}:{path}"))
        .args(words)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{errors}");
    String::from_utf8(ran.stdout).unwrap()
}
