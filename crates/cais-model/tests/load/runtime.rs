//! What a runtime does not honour is said by name and place.

use crate::{Project, one, web};
use cais_model::fields::{Runtime, passed_over, unsupported};

fn said(project: &Project, runtime: Runtime) -> Vec<String> {
    let found = unsupported(&project.load(), runtime);
    found
        .iter()
        .map(|diagnostic| diagnostic.to_string().replace("compose.yaml:", ""))
        .collect()
}

#[test]
fn the_process_runtime_needs_a_local_command() {
    let want = [
        "1:12: error: service `web` has no local command, and the process runtime cannot run an image (give it `x-cais: {process: {command: …}}`, or run the stack in Docker: `cais --runtime docker up`)",
    ];
    assert_eq!(said(&web("tty: true"), Runtime::Process), want);
    assert_eq!(
        said(&web("tty: true"), Runtime::Docker),
        Vec::<String>::new()
    );
    for fields in [
        "command: run",
        "entrypoint: run",
        "x-cais: {process: {command: run}}",
    ] {
        assert_eq!(
            said(&web(fields), Runtime::Process),
            Vec::<String>::new(),
            "{fields}"
        );
    }
}

#[test]
fn fields_without_effect_are_warned_about_and_refused_ones_are_errors() {
    let project = one("version: '3'
services:
  web:
    command: run
    volumes: ['./a:/a']
    privileged: true
    logging: {driver: syslog, options: {max-size: 1m, tag: x}}
    x-foreign: {a: 1}
    x-cais:
      scale: {min: 1, max: 2, cpu: 60%}
      rollout: {strategy: canary}
  db:
    command: run
    network_mode: none
x-cais: {notify: {ops: {webhook: 'https://example.com'}}, aws: {region: sa-east-1}}
");
    assert_eq!(
        said(&project, Runtime::Process),
        [
            "5:5: warning: `volumes` of service `web` has no effect in the process runtime: a process sees the machine's own files",
            "6:5: warning: `privileged` of service `web` has no effect in the process runtime: a task has the rights of the user who started cais",
            "7:15: warning: `logging.driver` of service `web` has no effect in the process runtime: cais keeps the logs itself",
            "7:55: warning: `logging.options.tag` of service `web` has no effect in the process runtime: cais keeps the logs itself",
            "10:7: warning: `x-cais.scale` of service `web` has no effect in the process runtime: not honoured yet",
            "11:17: warning: `x-cais.rollout.strategy` of service `web` has no effect in the process runtime: tasks are replaced by `rolling` until others are honoured",
            "14:5: error: `network_mode` of service `db` is refused in the process runtime: a process has the machine's network",
            "15:10: warning: `x-cais.notify` has no effect in the process runtime: not honoured yet",
        ]
    );
    assert!(
        said(&project, Runtime::Aws)
            .iter()
            .any(|line| line.contains("`privileged` of service `web` is refused on AWS"))
    );
}

#[test]
fn a_row_for_one_value_wins() {
    assert_eq!(
        said(
            &web("privileged: false, cap_add: [SYS_PTRACE]"),
            Runtime::Aws
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        said(&web("cap_add: [SYS_PTRACE, NET_ADMIN]"), Runtime::Aws),
        [
            "1:28: error: `cap_add` of service `web` is refused on AWS: Fargate adds `SYS_PTRACE` only"
        ]
    );
}

#[test]
fn what_is_passed_over_is_told_to_those_who_ask() {
    let loaded = web("command: run, tty: true").load();
    let lines: Vec<String> = passed_over(&loaded, Runtime::Process)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "compose.yaml:1:18: warning: `image` of service `web` is passed over in the process runtime: a local command runs instead of an image",
            "compose.yaml:1:42: warning: `tty` of service `web` is passed over in the process runtime: output goes to the log",
        ]
    );
}

#[test]
fn what_is_there_before_on_aws_needs_no_order() {
    let project = one("
services:
  web:
    build: .
    depends_on:
      cache: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
  worker:
    build: .
    depends_on: [cache, web]
  migrate: {build: .}
  cache:
    image: valkey/valkey:8
    x-cais: {aws: {managed: elasticache}}
");
    assert_eq!(
        said(&project, Runtime::Aws),
        [
            "10:5: warning: `depends_on` of service `worker` has no effect on AWS: ECS starts services in no order; it says who may call whom",
        ]
    );
}

#[test]
fn a_refused_port_is_underlined_as_far_as_it_is_written() {
    let cases = [
        ("ports: ['8081:80']", "'8081:80'".len()),
        ("ports: [80, 8081:80]", "8081:80".len()),
        ("ports: ['8081-8082:80-81']", "'8081-8082:80-81'".len()),
        ("ports: [{target: 80, published: 8081}]", 1),
    ];
    for (fields, width) in cases {
        let found = unsupported(&web(fields).load(), Runtime::Aws);
        assert!(!found.is_empty(), "{fields}");
        for diagnostic in found {
            assert_eq!(
                usize::try_from(diagnostic.width).unwrap(),
                width,
                "{fields}"
            );
        }
    }
}
