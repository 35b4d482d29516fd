//! Every word of `x-cais`, in one list: what may stand where, in which form, and what it says. The loader refuses what is not in it; editors get it as a JSON schema (`schema.rs`). What a value means is read in the other files here.

use crate::stack::Metric;

/// A mapping with known keys.
pub(super) struct Block {
    pub(super) keys: &'static [Key],
}

/// A key of a block.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) says: &'static str,
}

/// What stands at a key.
pub(super) enum Form {
    Text,
    /// A text that is one of these.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Whole,
    /// `10s`, `1m30s`.
    Duration,
    /// A number with a unit: `60%`, `500/s`, `512m`.
    Amount,
    /// A text, or a list of words.
    Command,
    Texts,
    /// A list of whole numbers.
    Ports,
    Block(&'static Block),
    /// One block, or a list of them.
    Blocks(&'static Block),
    /// A list of blocks.
    List(&'static Block),
    /// Blocks under names of one's own.
    Named(&'static Block),
    /// Mappings under names of one's own, with keys that are not ours.
    Foreign,
}

const fn key(name: &'static str, form: Form, says: &'static str) -> Key {
    Key { name, form, says }
}

impl Block {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

pub(super) const STRATEGIES: [&str; 4] = ["rolling", "blue-green", "canary", "linear"];
pub(super) const MISSING: [&str; 4] = ["missing", "breaching", "notBreaching", "ignore"];
pub(super) const NAT: [&str; 3] = ["single", "per_zone", "none"];
pub(super) const ARCHITECTURES: [&str; 4] = ["x86_64", "amd64", "arm64", "aarch64"];
pub(super) const MANAGED: [&str; 1] = ["elasticache"];

/// `x-cais` of a service.
pub(super) static SERVICE: Block = Block {
    keys: &[
        key(
            "process",
            Form::Block(&PROCESS),
            "How it runs as a process on this machine.",
        ),
        key(
            "image",
            Form::Block(&IMAGE),
            "An image of one static program, made without a Docker engine.",
        ),
        key(
            "ci",
            Form::Block(&CI),
            "What a pipeline runs, instead of what its folder shows.",
        ),
        key(
            "route",
            Form::Blocks(&ROUTE),
            "Which requests reach it; one route, or a list.",
        ),
        key("health", Form::Block(&HEALTH), "Checks by HTTP."),
        key(
            "rollout",
            Form::Block(&ROLLOUT),
            "How it moves from one revision to the next.",
        ),
        key(
            "scale",
            Form::Block(&SCALE),
            "How many tasks it has, by what they do.",
        ),
        key(
            "cache",
            Form::Block(&CACHE),
            "What the gateway keeps of its responses.",
        ),
        key(
            "alarms",
            Form::Named(&ALARM),
            "What is watched, each under a name of your own.",
        ),
        key("aws", Form::Block(&SERVICE_AWS), "What AWS alone asks for."),
    ],
};

/// Keys of `process`.
pub(super) static PROCESS: Block = Block {
    keys: &[
        key(
            "build",
            Form::Text,
            "A shell command that makes the program.",
        ),
        key(
            "command",
            Form::Command,
            "What runs; a text is split by the rules of a shell.",
        ),
        key(
            "optional",
            Form::Boolean,
            "Skip the service where its program is not installed.",
        ),
    ],
};

/// Keys of `image`.
pub(super) static IMAGE: Block = Block {
    keys: &[
        key("artifact", Form::Text, "The program's file."),
        key(
            "build",
            Form::Text,
            "A shell command that makes it; `process.build`, where it is left out.",
        ),
    ],
};

/// Keys of `ci`.
pub(super) static CI: Block = Block {
    keys: &[
        key(
            "lint",
            Form::Text,
            "A shell command that lints it; an empty one lints nothing.",
        ),
        key(
            "test",
            Form::Text,
            "A shell command that tests it; an empty one tests nothing.",
        ),
    ],
};

/// Keys of `route`.
pub(super) static ROUTE: Block = Block {
    keys: &[
        key(
            "path",
            Form::Text,
            "A prefix of whole segments, such as `/clock`.",
        ),
        key(
            "host",
            Form::Text,
            "A host, such as `clock.example.com`; any, where it is left out.",
        ),
    ],
};

/// Keys of `health`.
pub(super) static HEALTH: Block = Block {
    keys: &[
        key(
            "path",
            Form::Text,
            "Is it alive? Failing `retries` times in a row replaces the task.",
        ),
        key(
            "ready",
            Form::Text,
            "Does it want traffic? Decides that alone.",
        ),
        key(
            "interval",
            Form::Duration,
            "Between two checks; 1s by default.",
        ),
        key("timeout", Form::Duration, "For an answer; 1s by default."),
        key(
            "retries",
            Form::Whole,
            "Failures in a row that count; 3 by default.",
        ),
        key(
            "start_period",
            Form::Duration,
            "In which failures do not count; 10s by default.",
        ),
        key(
            "start_interval",
            Form::Duration,
            "Between two checks in that time; 100ms by default.",
        ),
    ],
};

/// Keys of `rollout`.
pub(super) static ROLLOUT: Block = Block {
    keys: &[
        key(
            "strategy",
            Form::Word(&STRATEGIES),
            "How traffic moves; `rolling` by default.",
        ),
        key(
            "step",
            Form::Amount,
            "The share that moves at once, such as `10%`.",
        ),
        key("step_bake", Form::Duration, "Between two steps."),
        key(
            "bake",
            Form::Duration,
            "How long the old revision stays after the last step.",
        ),
        key(
            "minimum_healthy",
            Form::Amount,
            "Healthy tasks while it lasts; `100%` by default.",
        ),
        key(
            "maximum",
            Form::Amount,
            "Tasks of both revisions; `200%` by default.",
        ),
        key(
            "breaker",
            Form::Block(&BREAKER),
            "How many new tasks may fail before it goes back.",
        ),
        key("monitor", Form::Duration, "How long a new task is watched."),
        key(
            "deregistration_delay",
            Form::Duration,
            "How long a task that leaves may answer what it has; `30s` by default.",
        ),
        key(
            "progress_deadline",
            Form::Duration,
            "Without progress for so long it fails; `10m` by default.",
        ),
        key("alarms", Form::Texts, "Alarms that take it back."),
    ],
};

/// Keys of `breaker`; one of the first three.
pub(super) static BREAKER: Block = Block {
    keys: &[
        key("count", Form::Whole, "So many failures."),
        key(
            "percent",
            Form::Amount,
            "A share of the desired tasks, at least 3 and at most 200.",
        ),
        key(
            "unbounded_percent",
            Form::Amount,
            "A share of the desired tasks.",
        ),
        key(
            "reset_on_healthy",
            Form::Boolean,
            "A healthy task sets the count back; true by default.",
        ),
    ],
};

/// Keys of `scale`.
pub(super) static SCALE: Block = Block {
    keys: &[
        key("min", Form::Whole, "The fewest tasks; 1 by default."),
        key("max", Form::Whole, "The most tasks."),
        key("cpu", Form::Amount, "The average to keep, such as `60%`."),
        key(
            "memory",
            Form::Amount,
            "The average to keep, such as `70%`.",
        ),
        key(
            "requests",
            Form::Amount,
            "Requests of one task in a second, such as `500/s`.",
        ),
        key(
            "out_cooldown",
            Form::Duration,
            "Between two additions; `60s` by default.",
        ),
        key(
            "in_cooldown",
            Form::Duration,
            "Between two removals; `5m` by default.",
        ),
    ],
};

/// Keys of `cache`.
pub(super) static CACHE: Block = Block {
    keys: &[
        key("ttl", Form::Duration, "How long a response is fresh."),
        key(
            "stale_while_revalidate",
            Form::Duration,
            "How long it is served while a new one is fetched.",
        ),
        key(
            "stale_if_error",
            Form::Duration,
            "How long it is served when there is no new one.",
        ),
    ],
};

/// Keys of an alarm.
pub(super) static ALARM: Block = Block {
    keys: &[
        key("metric", Form::Word(&Metric::WORDS), "What is measured."),
        key(
            "above",
            Form::Amount,
            "Too much, in the unit of the metric: `1%`, `500ms`, `10`.",
        ),
        key("below", Form::Amount, "Too little."),
        key(
            "period",
            Form::Duration,
            "What one datapoint is about; `60s` by default.",
        ),
        key(
            "datapoints",
            Form::Amount,
            "`3 of 5`: how many of the last periods must breach.",
        ),
        key(
            "missing",
            Form::Word(&MISSING),
            "How a period without data counts.",
        ),
        key(
            "pattern",
            Form::Text,
            "With `log_matches`: the filter pattern.",
        ),
        key("notify", Form::Texts, "Channels of the top-level `notify`."),
    ],
};

/// Keys of `aws` of a service.
pub(super) static SERVICE_AWS: Block = Block {
    keys: &[
        key("cpu", Form::Amount, "Units (`256`) or vCPUs (`0.25`)."),
        key("memory", Form::Amount, "With its unit, such as `512m`."),
        key("architecture", Form::Word(&ARCHITECTURES), "The processor."),
        key("spot", Form::Amount, "The share of tasks on Fargate Spot."),
        key("execute_command", Form::Boolean, "Allow `exec`."),
        key("egress", Form::Ports, "Ports that it may reach outside."),
        key(
            "permissions",
            Form::List(&PERMISSION),
            "What its program may do on AWS.",
        ),
        key(
            "schedule",
            Form::Text,
            "Run it as a job: `rate(5 minutes)`, `cron(0 3 * * ? *)`.",
        ),
        key(
            "managed",
            Form::Word(&MANAGED),
            "AWS runs it in place of a container.",
        ),
        key(
            "node_type",
            Form::Text,
            "With `managed`: such as `cache.t4g.micro`.",
        ),
        key(
            "multi_az",
            Form::Boolean,
            "With `managed`: a second node in another zone.",
        ),
    ],
};

/// Keys of a permission.
pub(super) static PERMISSION: Block = Block {
    keys: &[
        key("actions", Form::Texts, "Such as `s3:GetObject`; not `*`."),
        key("resources", Form::Texts, "ARNs; not `*`."),
    ],
};

/// `x-cais` of the whole stack.
pub(super) static TOP: Block = Block {
    keys: &[
        key(
            "listen",
            Form::Text,
            "Where the gateway serves all routes; `127.0.0.1:8080` by default.",
        ),
        key(
            "notify",
            Form::Named(&CHANNEL),
            "Who is told of alarms, each under a name of your own.",
        ),
        key("aws", Form::Block(&AWS), "Where on AWS the stack goes."),
    ],
};

/// Keys of a channel of `notify`.
pub(super) static CHANNEL: Block = Block {
    keys: &[
        key("webhook", Form::Text, "An address that gets JSON."),
        key("email", Form::Text, "A mail address."),
    ],
};

/// Keys of `aws` of the whole stack.
pub(super) static AWS: Block = Block {
    keys: &[
        key("region", Form::Text, "Such as `sa-east-1`."),
        key("account", Form::Text, "Twelve digits, in quotes."),
        key(
            "domain",
            Form::Text,
            "What the stack is reached at, such as `example.com`.",
        ),
        key("zone", Form::Text, "The hosted zone of the domain."),
        key(
            "certificate",
            Form::Text,
            "The ARN of a certificate that is there.",
        ),
        key("load_balancer", Form::Text, "One that is there."),
        key("vpc", Form::Text, "One that is there."),
        key(
            "subnets",
            Form::Block(&SUBNETS),
            "Those of the VPC that is there.",
        ),
        key("cidr", Form::Text, "The addresses of a new VPC."),
        key(
            "peers",
            Form::Texts,
            "Networks that may reach what is private.",
        ),
        key("zones", Form::Texts, "Availability zones."),
        key("nat", Form::Word(&NAT), "How tasks reach the outside."),
        key(
            "endpoints",
            Form::Texts,
            "Services of AWS that are reached inside the VPC.",
        ),
        key(
            "deletion_protection",
            Form::Boolean,
            "What holds data is not destroyed; true by default.",
        ),
        key("log_retention", Form::Amount, "Days that logs are kept."),
        key("waf", Form::Text, "The ARN of a web ACL."),
        key(
            "architecture",
            Form::Word(&ARCHITECTURES),
            "The processor of all services.",
        ),
        key(
            "registry",
            Form::Block(&REGISTRY),
            "Where images are pushed to instead of ECR.",
        ),
        key(
            "github",
            Form::Block(&GITHUB),
            "The repository whose pipeline deploys.",
        ),
        key(
            "overrides",
            Form::Foreign,
            "Attributes of rendered resources, by address.",
        ),
    ],
};

/// Keys of `subnets`.
pub(super) static SUBNETS: Block = Block {
    keys: &[
        key("public", Form::Texts, "For the load balancer."),
        key("private", Form::Texts, "For the tasks."),
    ],
};

/// Keys of `registry`.
pub(super) static REGISTRY: Block = Block {
    keys: &[
        key(
            "repository",
            Form::Text,
            "Registry and path, such as `ghcr.io/acme/{service}`.",
        ),
        key(
            "credentials",
            Form::Text,
            "The secret that ECS pulls with: `{\"username\": …, \"password\": …}`.",
        ),
    ],
};

/// Keys of `github`.
pub(super) static GITHUB: Block = Block {
    keys: &[
        key("repository", Form::Text, "`owner/name`."),
        key(
            "repository_id",
            Form::Text,
            "Its number, which no other gets.",
        ),
        key(
            "provider",
            Form::Text,
            "The ARN of an OIDC provider that is there.",
        ),
    ],
};

/// `x-cais` of a secret or config.
pub(super) static FILE: Block = Block {
    keys: &[key(
        "generate",
        Form::Boolean,
        "Make the file with a random value where there is none.",
    )],
};
