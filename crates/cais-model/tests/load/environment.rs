//! Variables: of the caller, of env files, in the file and in a task's environment.

use crate::{one, web};

fn environment(project: &crate::Project) -> String {
    let pairs = project.service().environment;
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_callers_variables_win_over_the_env_file() {
    let project = web("environment: {A: '$A', B: '$B'}")
        .file("/project/.env", "A=file\nB=file\n")
        .variable("A", "shell");
    assert_eq!(environment(&project), "A=shell B=file");
}

#[test]
fn env_files_named_by_the_caller_replace_the_default_one() {
    let mut project = web("environment: {A: '$A', B: '$B'}")
        .file("/project/.env", "A=default\nB=default\n")
        .file("one.env", "A=1\nB=1")
        .file("two.env", "B=${A}2");
    project.options.env_files = vec!["one.env".into(), "two.env".into()];
    assert_eq!(environment(&project), "A=1 B=12");
}

#[test]
fn environment_wins_over_env_file() {
    let project = web("env_file: [a.env, {path: b.env}, {path: none.env, required: false}], environment: {A: own, D: null, E: null}")
        .file("/project/a.env", "A=a\nB=a\nC=$B\nD=a")
        .file("/project/b.env", "B=b\nF\n")
        .variable("D", "shell")
        .variable("F", "shell");
    assert_eq!(environment(&project), "A=own B=b C=a D=shell F=shell");
}

#[test]
fn raw_env_files_are_not_interpreted() {
    let project =
        web("env_file: [{path: a.env, format: raw}]").file("/project/a.env", "A=\"$B\" # c\n");
    assert_eq!(environment(&project), "A=\"$B\" # c");
}

#[test]
fn a_missing_env_file_is_an_error_where_it_is_named() {
    assert_eq!(
        web("env_file: a.env").errors(),
        [
            "1:38: error: env file `a.env` cannot be read: no such file (create it, or write `required: false` beside its `path`)"
        ]
    );
    assert_eq!(
        web("env_file: a.env")
            .file("/project/a.env", "A=1\nB='x")
            .errors(),
        ["1:38: error: a.env:2: the quote ' is not closed"]
    );
}

#[test]
fn an_unset_variable_is_warned_about_once() {
    let loaded = web("command: [$N, '${N}', '${M:-x}']").load();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "compose.yaml:1:38: warning: variable `N` is not set; it becomes an empty text (set it, or give a default: ${N:-value})"
        ]
    );
    assert_eq!(
        loaded
            .variables
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["M", "N"]
    );
}

#[test]
fn a_required_variable_stops_with_its_message() {
    assert_eq!(
        web("command: ['${TOKEN:?see the wiki}', '${']").errors(),
        [
            "1:38: error: services.web.command[0]: required variable `TOKEN` is unset or empty: see the wiki (set it in the environment or in the .env file: TOKEN=…)",
            "1:64: error: services.web.command[1]: `${` has no closing `}` (write `$$` for a dollar sign that begins no variable)",
        ]
    );
}

#[test]
fn variables_are_cast_where_a_number_is_expected() {
    let service = web("scale: '${N}', read_only: $B, ports: [{target: $P}]")
        .variable("N", "3")
        .variable("B", "yes")
        .variable("P", "80")
        .service();
    assert_eq!((service.replicas, service.ports[0].target), (3, 80));
    let errors = web("scale: '${N}'").variable("N", "three").errors();
    assert_eq!(
        errors,
        ["1:35: error: services.web.scale: `three` (from `${N}`) is not a whole number"]
    );
}

#[test]
fn keys_are_not_interpolated() {
    let service = web("labels: {'$A': '$A'}, environment: {'$A': x}")
        .variable("A", "a")
        .service();
    assert_eq!(service.environment["$A"], "x");
}

#[test]
fn a_definition_keeps_variables_as_written() {
    let service = web("command: run $A, environment: ['S=${SECRET}', HOME, L=literal], ports: ['${P:-80}:80'], env_file: e.env")
        .file("/project/e.env", "HIDDEN=hidden-value")
        .variable("SECRET", "hunter2")
        .variable("HOME", "/root")
        .service();
    assert_eq!(
        service.definition,
        r#"{"command":"run $A","env_file":[{"path":"e.env","required":true}],"environment":{"HOME":null,"L":"literal","S":"${SECRET}"},"image":"i","ports":["${P:-80}:80"]}"#
    );
    let used: Vec<&str> = service.used_variables.iter().map(String::as_str).collect();
    assert_eq!(used, ["A", "HOME", "P", "SECRET"]);
}

#[test]
fn a_definition_never_holds_the_value_of_a_variable() {
    let project = one("services: {web: {image: 'x${V}', depends_on: ['$V'], environment: ['$V=1', 'A=${V}'], networks: ['$V'],
      build: {context: $V, args: ['A=$V']}, extra_hosts: {h: $V}, scale: $N, volumes: ['./$V:/a'], tmpfs: $V,
      secrets: ['$V'], x-cais: {process: {command: 'run $V'}}, labels: {a: $V}, healthcheck: {test: 'curl $V'}},
      secretvalue: {image: i}}
networks: {secretvalue: {}}
secrets: {secretvalue: {file: f}}
").variable("V", "secretvalue").variable("N", "77");
    let service = project.service();
    for text in [&service.definition, &service.task_definition] {
        assert!(
            !text.contains("secretvalue") && !text.contains("77"),
            "{text}"
        );
    }
    assert_eq!(
        service
            .used_variables
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["N", "V"]
    );
    assert_eq!(service.replicas, 77);
}

#[test]
fn a_task_definition_changes_with_the_task_only() {
    let base = web("command: run").service();
    for fields in [
        "command: run, scale: 3",
        "command: run, x-cais: {route: {path: /}}",
        "command: run, deploy: {replicas: 2}",
    ] {
        let service = web(fields).service();
        assert_eq!(service.task_definition, base.task_definition, "{fields}");
        assert_ne!(service.definition, base.definition, "{fields}");
    }
    for fields in [
        "command: other",
        "command: run, x-cais: {process: {build: make}}",
        "command: run, deploy: {resources: {limits: {cpus: '1'}}}",
    ] {
        assert_ne!(
            web(fields).service().task_definition,
            base.task_definition,
            "{fields}"
        );
    }
}

#[test]
fn a_definition_is_the_same_in_short_and_long_form() {
    let short =
        web("ports: ['80:80'], depends_on: [], environment: [B=2, A=1], command: a b").service();
    let long = web("command: [a, b], environment: {A: 1, B: 2}, depends_on: {}, ports: [{target: 80, published: '80', protocol: tcp, mode: ingress}]").service();
    assert_eq!(short.definition, long.definition);
}

#[test]
fn the_project_name_follows_composes_order() {
    let name = |project: &crate::Project| project.load().stack.name.as_str().to_owned();
    assert_eq!(name(&web("tty: true")), "project");
    let named = || one("name: ${N:-My App}\nservices: {web: {image: '$COMPOSE_PROJECT_NAME'}}\n");
    assert_eq!(name(&named()), "myapp");
    assert_eq!(named().service().image.as_deref(), Some("myapp"));
    assert_eq!(
        name(&named().variable("COMPOSE_PROJECT_NAME", "env")),
        "env"
    );
    let mut given = named().variable("COMPOSE_PROJECT_NAME", "env");
    given.options.project_name = Some("flag".into());
    assert_eq!(name(&given), "flag");
    given.options.project_name = Some("Flag".into());
    assert_eq!(
        given.errors(),
        [
            "error: `Flag` cannot be a project name: lowercase letters, digits, `_` and `-`, beginning with a letter or a digit"
        ]
    );
}
