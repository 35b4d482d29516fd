//! A container as ECS's `containerDefinitions` spells it. Images and ARNs are filled in by whoever knows them.

use super::{Container, HealthCheck, Port, SecretVariable};
use crate::value::{Value, join, map};

/// `valueFrom`: the secret's ARN, and the key of its text where there is one.
fn value_from(variable: &SecretVariable, arn: Value) -> Value {
    match &variable.key {
        None => arn,
        Some(key) => join(vec![arn, format!(":{key}::").into()]),
    }
}

impl Container {
    /// As `containerDefinitions` has it. `image` and the ARN of a `secret`, by its name, are the caller's to know.
    pub fn definition(&self, image: Value, secret: impl Fn(&str) -> Value) -> Value {
        let mut fields: Vec<(&str, Value)> = vec![
            ("name", self.name.as_str().into()),
            ("image", image),
            ("essential", true.into()),
        ];
        if let Some(credentials) = &self.credentials {
            let parameter = map([("credentialsParameter", secret(credentials))]);
            fields.push(("repositoryCredentials", parameter));
        }
        for (key, words) in [
            ("entryPoint", &self.entry_point),
            ("command", &self.command),
        ] {
            if let Some(words) = words {
                fields.push((key, words.clone().into()));
            }
        }
        for (key, text) in [
            ("workingDirectory", &self.working_directory),
            ("user", &self.user),
        ] {
            if let Some(text) = text {
                fields.push((key, text.as_str().into()));
            }
        }
        fields.push(("readonlyRootFilesystem", self.is_read_only.into()));
        fields.push(("stopTimeout", self.stop_timeout.into()));
        if !self.ports.is_empty() {
            fields.push((
                "portMappings",
                self.ports.iter().map(port).collect::<Vec<_>>().into(),
            ));
        }
        let environment = self.environment.iter();
        let environment: Vec<Value> = environment
            .map(|(name, value)| {
                map([
                    ("name", name.as_str().into()),
                    ("value", value.as_str().into()),
                ])
            })
            .collect();
        if !environment.is_empty() {
            fields.push(("environment", environment.into()));
        }
        let secrets: Vec<Value> = self
            .secrets
            .iter()
            .map(|variable| {
                map([
                    ("name", variable.name.as_str().into()),
                    ("valueFrom", value_from(variable, secret(&variable.secret))),
                ])
            })
            .collect();
        if !secrets.is_empty() {
            fields.push(("secrets", secrets.into()));
        }
        if let Some(check) = &self.health {
            fields.push(("healthCheck", health(check)));
        }
        fields.push(("linuxParameters", self.linux()));
        if let Some((soft, hard)) = self.open_files {
            let limit = map([
                ("name", "nofile".into()),
                ("softLimit", soft.into()),
                ("hardLimit", hard.into()),
            ]);
            fields.push(("ulimits", Value::List(vec![limit])));
        }
        fields.push(("logConfiguration", self.log()));
        Value::Map(
            fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    fn linux(&self) -> Value {
        let mut capabilities = Vec::new();
        for (key, list) in [("add", &self.add), ("drop", &self.drop)] {
            if !list.is_empty() {
                capabilities.push((key.to_owned(), list.clone().into()));
            }
        }
        let mut fields = vec![("initProcessEnabled".to_owned(), self.has_init.into())];
        if !capabilities.is_empty() {
            fields.push(("capabilities".to_owned(), Value::Map(capabilities)));
        }
        Value::Map(fields)
    }

    fn log(&self) -> Value {
        map([
            ("logDriver", "awslogs".into()),
            (
                "options",
                map([
                    ("awslogs-group", self.log_group.as_str().into()),
                    ("awslogs-region", self.region.as_str().into()),
                    ("awslogs-stream-prefix", "task".into()),
                    ("mode", "non-blocking".into()),
                    ("max-buffer-size", "25m".into()),
                ]),
            ),
        ])
    }
}

fn port(port: &Port) -> Value {
    let mut fields = vec![
        ("name".to_owned(), port.name.as_str().into()),
        ("containerPort".to_owned(), u32::from(port.port).into()),
        ("protocol".to_owned(), "tcp".into()),
    ];
    if port.is_http {
        fields.push(("appProtocol".to_owned(), "http".into()));
    }
    Value::Map(fields)
}

fn health(check: &HealthCheck) -> Value {
    map([
        ("command", check.command.clone().into()),
        ("interval", check.interval.into()),
        ("timeout", check.timeout.into()),
        ("retries", check.retries.into()),
        ("startPeriod", check.start_period.into()),
    ])
}
