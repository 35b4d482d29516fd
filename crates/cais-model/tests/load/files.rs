//! Several files: `-f`, `include`, `extends`, profiles.

use crate::{Project, one, web};

fn yaml(project: &Project) -> String {
    project
        .load()
        .tree
        .get("services")
        .expect("services")
        .to_yaml()
}

#[test]
fn later_files_lie_over_earlier_ones() {
    let project = one("services: {web: {image: a, command: [a], ports: ['80:80'], environment: [A=1, B=1]}}")
        .compose("two.yaml", "services: {web: {image: b, command: [b], ports: !reset null, environment: {B: 2}}, db: {image: d}}");
    assert_eq!(
        yaml(&project),
        "db:\n  image: d\nweb:\n  command:\n    - b\n  environment:\n    A: \"1\"\n    B: \"2\"\n  image: b\n"
    );
}

#[test]
fn documents_of_one_file_lie_over_each_other() {
    let project = one("services: {web: {image: a, tty: true}}\n---\nservices: {web: {image: b}}\n");
    assert_eq!(yaml(&project), "web:\n  image: b\n  tty: true\n");
}

#[test]
fn a_service_extends_another() {
    let project = one("services:
  base: {image: a, environment: {A: 1}, labels: {L: 1}, ports: ['80:80']}
  middle: {extends: base, environment: {B: 2}, ports: !override ['81:81']}
  web: {extends: {service: middle}, image: b, labels: !reset null, ports: !override ['82:82']}
");
    let service = project.service();
    assert_eq!(service.image.as_deref(), Some("b"));
    assert_eq!(
        service
            .environment
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert_eq!(service.ports.len(), 1);
    assert!(!service.definition.contains("labels") && !service.definition.contains("extends"));
}

#[test]
fn a_service_extends_one_of_another_folder() {
    let project = one("services: {web: {extends: {file: sub/common.yaml, service: base}}}\n")
        .file(
            "/project/sub/common.yaml",
            "services: {base: {extends: {file: ../top.yaml, service: top}, env_file: e.env, volumes: ['./data:/d', named:/n]}}",
        )
        .file("/project/top.yaml", "services: {top: {image: t, build: ./app}}")
        .file("/project/sub/e.env", "A=1");
    let errors = project.errors();
    assert_eq!(
        errors,
        [
            "/project/sub/common.yaml:1:103: error: service `web` uses the volume `named`, which is not defined (define it under the top-level `volumes:`)"
        ]
    );
    let project = project.compose("more.yaml", "volumes: {named: {}}");
    let service = project.service();
    assert_eq!(service.environment["A"], "1");
    assert_eq!(service.build.unwrap().context, "./app");
    assert!(
        service.definition.contains(r#""source":"./sub/data""#),
        "{}",
        service.definition
    );
    assert!(
        service.definition.contains(r#""path":"./sub/e.env""#),
        "{}",
        service.definition
    );
    assert_eq!(project.load().files.len(), 4);
}

#[test]
fn what_cannot_be_extended_is_said() {
    assert_eq!(
        one("services: {web: {extends: bse}, base: {image: i}}").errors(),
        ["1:27: error: there is no service `bse` to extend (did you mean `base`?)"]
    );
    assert_eq!(
        one("services: {web: {extends: web2, image: i}, web2: {extends: web, image: i}}").errors(),
        ["1:27: error: `extends` goes in a circle: web → web2 → web"]
    );
    assert_eq!(
        one("services: {web: {extends: {file: no.yaml, service: a}, image: i}}").errors(),
        ["1:34: error: `/project/no.yaml` cannot be read: no such file"]
    );
}

#[test]
fn included_files_bring_services_with_their_own_folder_and_variables() {
    let project = one("include: [sub/compose.yaml]\nservices: {web: {image: 'w:$TAG', depends_on: [db]}}\n")
        .file("/project/.env", "TAG=top\n")
        .file("/project/sub/.env", "TAG=sub\nOWN=own\n")
        .file("/project/sub/compose.yaml", "services: {db: {image: '$TAG-$OWN', volumes: ['./d:/d'], secrets: [s]}}\nsecrets: {s: {file: s.txt}}\n");
    let loaded = project.load();
    let db = &loaded.stack.services["db"];
    assert_eq!(db.image.as_deref(), Some("top-own"));
    assert!(
        db.definition.contains(r#""source":"./sub/d""#),
        "{}",
        db.definition
    );
    assert_eq!(
        format!("{:?}", loaded.stack.secrets["s"].origin),
        r#"File("/project/sub/s.txt")"#
    );
}

#[test]
fn a_file_extended_inside_and_outside_an_include_sees_each_ones_variables() {
    let project = one("include: [{path: a.yaml, env_file: x.env}]\nservices: {web: {extends: {file: base.yaml, service: base}}}\n")
        .file("/project/x.env", "V=inside")
        .file("/project/a.yaml", "services: {db: {extends: {file: base.yaml, service: base}}}")
        .file("/project/base.yaml", "services: {base: {image: 'i:${V:-outside}'}}");
    let services = project.load().stack.services;
    assert_eq!(services["db"].image.as_deref(), Some("i:inside"));
    assert_eq!(services["web"].image.as_deref(), Some("i:outside"));
}

#[test]
fn the_long_form_of_include_overrides_and_moves() {
    let project =
        one("include: [{path: [a.yaml, b.yaml], project_directory: sub, env_file: x.env}]\n")
            .file("/project/x.env", "V=x")
            .file("/project/a.yaml", "services: {web: {image: a, build: .}}")
            .file("/project/b.yaml", "services: {web: {image: 'b$V'}}");
    let service = project.service();
    assert_eq!(service.image.as_deref(), Some("bx"));
    assert_eq!(service.build.unwrap().context, "./sub");
}

#[test]
fn the_including_file_lies_over_the_included_one() {
    let project = one("include: [a.yaml]\nservices: {web: {image: own}}\n")
        .file("/project/a.yaml", "services: {web: {image: a, tty: true}}");
    assert_eq!(yaml(&project), "web:\n  image: own\n  tty: true\n");
}

#[test]
fn what_cannot_be_included_is_said() {
    assert_eq!(
        one("include: [a.yaml]\nservices: {web: {image: i}}").errors(),
        ["1:11: error: `/project/a.yaml` cannot be read: no such file"]
    );
    assert_eq!(
        one("include: [a.yaml]\n")
            .file("/project/a.yaml", "include: [b.yaml]")
            .file("/project/b.yaml", "include: [a.yaml]")
            .errors(),
        [
            "/project/b.yaml:1:11: error: `include` goes in a circle: `compose.yaml` → `/project/a.yaml` → `/project/b.yaml` → `/project/a.yaml`"
        ]
    );
}

#[test]
fn profiles_choose_services() {
    let text = "services: {web: {image: i}, debug: {image: i, profiles: [dev, test]}, other: {image: i, profiles: [x]}}";
    let names = |project: Project| {
        project
            .load()
            .stack
            .services
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names(one(text)), "web");
    assert_eq!(names(one(text).profile("dev")), "debug web");
    assert_eq!(names(one(text).profile("*")), "debug other web");
    assert_eq!(
        names(one(text).file("/project/.env", "COMPOSE_PROFILES=x, dev")),
        "debug other web"
    );
    assert_eq!(
        names(one(text).profile("dev").variable("COMPOSE_PROFILES", "x")),
        "debug web"
    );
}

#[test]
fn a_dependency_outside_the_profiles_is_an_error_unless_it_is_optional() {
    let text = |required: &str| {
        format!(
            "services: {{web: {{image: i, depends_on: {{db: {{condition: service_started, required: {required}}}}}}}, db: {{image: i, profiles: [x]}}}}"
        )
    };
    assert_eq!(
        one(&text("true")).errors(),
        [
            "1:41: error: service `web` depends on `db`, which no enabled profile has (enable its profile with `--profile`, or write `required: false`)"
        ]
    );
    assert!(one(&text("false")).service().depends_on.is_empty());
}

#[test]
fn yaml_that_cannot_be_read_stops_its_file_only() {
    let project = one("services: {web: [").compose("two.yaml", "services: {web: {imag: x}}");
    let errors = project.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("1:17: error: "), "{errors:?}");
    assert!(
        errors[1].starts_with("two.yaml:1:18: error: unknown key `imag`"),
        "{errors:?}"
    );
}

#[test]
fn keys_must_be_texts_and_stand_once() {
    assert_eq!(
        one("services: {web: {image: i, environment: {1: a}, image: j}}").errors(),
        [
            "1:42: error: key `1` is read as integer, and keys must be text (write it in quotes: \"1\")",
            "1:49: error: key `image` is already defined on line 1",
        ]
    );
}

#[test]
fn merge_keys_are_settled_at_any_depth() {
    let project = one(
        "x-a: &a {image: i, labels: {A: 1}}\nx-b: &b {<<: *a, tty: true}\nservices: {web: {<<: [*b, {image: no, init: true}], labels: {B: 2}}}\n",
    );
    assert_eq!(
        yaml(&project),
        "web:\n  image: i\n  init: true\n  labels:\n    B: \"2\"\n  tty: true\n"
    );
    assert_eq!(
        one("services: {web: {image: i, <<: text}}").errors(),
        ["1:28: error: `<<` merges a mapping or a list of mappings, not a string"]
    );
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("x-0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
    for level in 1..8 {
        let below = format!("*a{}", level - 1);
        text += &format!(
            "x-{level}: &a{level} [{}]\n",
            [below.as_str(); 10].join(",")
        );
    }
    let errors = one(&text).errors();
    assert!(
        errors[0].contains("more than 100000 values once aliases are expanded"),
        "{errors:?}"
    );
}

#[test]
fn an_empty_file_is_refused_with_its_place() {
    for text in ["", "# nothing\n", "{}\n", "null\n"] {
        let errors = one(text).errors();
        assert_eq!(
            errors,
            ["1:1: error: the file is empty (it needs at least `services:`)"],
            "{text:?}"
        );
    }
    assert_eq!(
        one("[a]").errors(),
        ["1:1: error: a Compose file is a mapping, and this is a list"]
    );
}

#[test]
fn labels_of_files_join_the_services_own() {
    let project = web("label_file: [one.label, two.label], labels: {C: own}")
        .file(
            "/project/one.label",
            "# a comment\nA=1\nB=$x ${y}\nC=file\n",
        )
        .file("/project/two.label", "A=2\n");
    let want = "web:\n  image: i\n  labels:\n    A: \"2\"\n    B: $x ${y}\n    C: own\n";
    assert_eq!(yaml(&project), want);
    let missing = web("label_file: nope.label").errors();
    assert_eq!(
        missing,
        ["1:40: error: label file `nope.label` cannot be read: no such file"]
    );
}

#[test]
fn a_file_that_stands_elsewhere_is_not_fetched() {
    for (text, at) in [
        ("include: ['https://example.com/a.git']", "1:11"),
        (
            "services: {web: {extends: {file: 'oci://r/a', service: b}}}",
            "1:34",
        ),
        ("include: [{path: 'git@example.com:a.git'}]", "1:18"),
    ] {
        let errors = one(text).errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].starts_with(&format!("{at}: error: `")),
            "{errors:?}"
        );
        assert!(errors[0].contains("is not a local file"), "{errors:?}");
    }
}
