//! What goes wrong with containers, and what is said: where, why, what to type next. Nothing is left half done.

use crate::support::containers::{Containers, docker, image};
use crate::support::engine_proxy::EngineProxy;
use crate::support::http::get;
use crate::support::{Machine, golden, skip};

/// `words` fail with `code`, nothing is left running, and what is said is as it was read.
#[track_caller]
fn check(stack: &Containers, image: &str, name: &str, words: &str, code: i32) {
    let ran = stack.cais(words).ended_with(code);
    golden::check(&format!("docker/{name}"), stack, &stack.shown(ran, image));
}

#[test]
fn an_image_or_a_program_that_is_not_there_is_named() {
    let Some(image) = image("an_image_or_a_program_that_is_not_there_is_named") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:\n  web:\n    image: cais-test/nobody-has-this:1\n    pull_policy: never\n",
    );
    check(&stack, image, "no-image", "up -d", 2);
    assert_eq!(stack.all(), Vec::<String>::new());
    stack.compose("services:\n  web:\n    build: .\n");
    stack.write("Dockerfile", "FROM scratch\n");
    stack.compose(&format!(
        "services:\n  web:\n    image: {image}\n    command: /no/such/program\n"
    ));
    let ran = stack.cais("up -d --wait").ended_with(1);
    assert!(ran.stderr.contains("/no/such/program"), "{ran:?}");
    assert_eq!(stack.all(), Vec::<String>::new());
}

#[test]
fn an_engine_that_is_down_is_told_with_how_to_start_it() {
    let machine = Machine::new();
    machine.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let stack = machine.stack("demo", "services:\n  web:\n    image: nginx:1.27\n");
    let ran = stack.cais("up -d").ended_with(1);
    golden::check("docker/engine-down", &stack, &ran);
    stack.compose("services:\n  web:\n    image: nginx:1.27\n    command: sleep 1000\n");
    let ran = stack.cais("up -d").ended_with(1);
    golden::check("docker/engine-down-processes-would-do", &stack, &ran);
    for (host, name) in [
        ("tcp://192.0.2.1:2375", "engine-elsewhere"),
        ("ssh://me@192.0.2.1", "engine-by-ssh"),
    ] {
        machine.set("DOCKER_HOST", host);
        let ran = stack.cais("--docker up -d").ended_with(2);
        golden::check(&format!("docker/{name}"), &stack, &ran);
    }
}

#[test]
fn a_running_stack_is_not_moved_to_another_runtime() {
    let Some(image) = image("a_running_stack_is_not_moved_to_another_runtime") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:\n  web:\n    image: <image>\n    command: sleep 1000\n    stop_grace_period: 0s\n",
    );
    stack.cais("up -d").ok();
    check(&stack, image, "other-runtime", "--runtime process up -d", 2);
    assert_eq!(stack.all().len(), 1);
    // Without a choice it stays where it is.
    stack.cais("up -d").ok();
    stack.cais("down").ok();
    stack.cais("--runtime process up -d").ok();
    assert_eq!(stack.all(), Vec::<String>::new());
}

#[test]
fn a_volume_in_use_stays_and_is_named() {
    let Some(image) = image("a_volume_in_use_stays_and_is_named") else {
        return;
    };
    let stack = Containers::new(
        image,
        "services:\n  web:\n    image: <image>\n    command: sleep 1000\n    stop_grace_period: 0s\n    volumes: ['data:/data']\nvolumes: {data: }\n",
    );
    stack.cais("up -d --wait").ok();
    let volume = format!("{}_data:/data", stack.name());
    let other = docker(&[
        "run",
        "-d",
        "--label",
        "cais.test=1",
        "-v",
        &volume,
        image,
        "sleep",
        "60",
    ]);
    let mut ran = stack.cais("down -v").ended_with(1);
    docker(&["rm", "-f", &other]);
    ran.stderr = ran.stderr.replace(&other, "<container>");
    assert!(ran.stderr.contains("volume is in use"), "{ran:?}");
    assert!(
        ran.stderr.contains("docker ps -a --filter volume="),
        "{ran:?}"
    );
}

#[test]
fn what_a_container_needs_and_is_not_there_is_named_before_anything_starts() {
    let Some(image) =
        image("what_a_container_needs_and_is_not_there_is_named_before_anything_starts")
    else {
        return;
    };
    let machine = Machine::new();
    let port = machine.port();
    let stack = Containers::on(&machine, image, "services: {}\n");
    let service = |fields: &str, tops: &str| {
        stack.compose(&format!(
            "services:\n  web:\n    image: {image}\n    {fields}\n{tops}"
        ));
    };
    service(
        "networks: [n]",
        "networks: {n: {external: true, name: cais-nobody}}\n",
    );
    check(&stack, image, "external-network", "up -d", 1);
    service(
        "volumes: ['old:/v']",
        "volumes: {old: {external: true, name: cais-nobody}}\n",
    );
    check(&stack, image, "external-volume", "up -d", 1);
    service(
        "volumes: [{type: bind, source: ./gone, target: /x, bind: {create_host_path: false}}]",
        "",
    );
    check(&stack, image, "bind-source-gone", "up -d", 1);
    service("network_mode: none\n    ports: ['80']", "");
    check(&stack, image, "port-without-network", "up -d", 2);
    service("network_mode: 'container:x'", "");
    check(&stack, image, "shared-network", "up -d", 2);
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    service(&format!("ports: ['{port}:80']"), "");
    check(&stack, image, "port-taken", "up -d", 1);
    assert_eq!(stack.all(), Vec::<String>::new());
    assert_eq!(stack.networks(), Vec::<String>::new());
}

#[test]
fn an_engine_whose_disk_is_full_says_so_and_what_runs_goes_on() {
    let test = "an_engine_whose_disk_is_full_says_so_and_what_runs_goes_on";
    let Some(image) = image(test) else { return };
    let machine = Machine::new();
    let Some(engine) = EngineProxy::start(machine.root()) else {
        return skip(test, "the engine is not behind a Unix socket");
    };
    let port = machine.port();
    machine.set("DOCKER_HOST", &engine.host());
    machine.set("DOCKER_BUILDKIT", "0");
    let stack = Containers::on(&machine, image, "services: {}\n");
    let full = |path: &'static str, web: &str, name: &str, words: &str, code: i32| {
        stack.compose(&format!(
            "services:\n  web:\n{}",
            web.replace("<image>", image)
        ));
        engine.fill(Some(path));
        check(&stack, image, &format!("no-space-{name}"), words, code);
        engine.fill(None);
    };
    full(
        "/images/create",
        "    image: cais-test/nobody-has-this:1\n",
        "to-pull",
        "up -d",
        1,
    );
    stack.write("Dockerfile", &format!("FROM {image}\nENV A=b\n"));
    full("/build", "    build: .\n", "to-build", "up -d", 1);
    let volume = "    image: <image>\n    volumes: ['data:/data']\nvolumes: {data: }\n";
    full("/volumes/create", volume, "for-a-volume", "up -d", 1);
    let serves = |answer: &str| {
        format!(
            "    image: <image>
    init: true
    command: [sh, -c, 'mkdir /tmp/w && echo {answer} >/tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w']
    stop_grace_period: 1s
    expose: ['8080']
    x-cais: {{route: {{path: /}}, health: {{path: /, interval: 100ms}}}}
x-cais: {{listen: '127.0.0.1:{port}'}}
"
        )
    };
    let create = "/containers/create";
    full(
        create,
        &serves("one"),
        "to-start",
        "--progress quiet up -d --wait",
        1,
    );
    assert_eq!(stack.all(), Vec::<String>::new());
    stack.cais("up -d --wait").ok();
    let web = serves("two").replace("<image>", image);
    stack.compose(&format!("services:\n  web:\n{web}"));
    engine.fill(Some(create));
    let said = stack.cais("deploy").ended_with(3).stderr;
    assert!(
        said.contains("no space left on device; back at revision 1"),
        "{said}"
    );
    assert!(said.contains("make room for the engine"), "{said}");
    engine.fill(None);
    assert_eq!(get(port, "/").unwrap().body, "one");
    stack.cais("deploy").ok();
    assert_eq!(get(port, "/").unwrap().body, "two");
}
