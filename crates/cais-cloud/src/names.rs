//! What everything of a stack is called on AWS, in one place: the infrastructure is rendered with these names, and a deploy
//! finds it by them. Too long a name is told here; where it stands in the file is the caller's to know.

/// The names of one stack in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    project: String,
    environment: String,
}

/// A name that AWS does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// What is called so: "target group".
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// Characters that AWS takes.
    pub limit: usize,
}

impl Names {
    /// The names of this project in this environment.
    pub fn new(project: &str, environment: &str) -> Self {
        Self {
            project: slug(project),
            environment: slug(environment),
        }
    }

    /// `<project>-<environment>`: what names begin with where AWS wants one word.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.project, self.environment)
    }

    /// `<project>/<environment>`: what names begin with where AWS has folders.
    pub fn path(&self) -> String {
        format!("{}/{}", self.project, self.environment)
    }

    /// The ECS cluster.
    pub fn cluster(&self) -> String {
        self.prefix()
    }

    /// The Cloud Map namespace in which services find each other.
    pub fn namespace(&self) -> String {
        self.prefix()
    }

    /// The application load balancer.
    pub fn load_balancer(&self) -> String {
        self.prefix()
    }

    /// The topic that alarms speak to.
    pub fn topic(&self, channel: &str) -> String {
        format!("{}-{}", self.prefix(), slug(channel))
    }

    /// The CloudWatch dashboard.
    pub fn dashboard(&self) -> String {
        self.prefix()
    }

    /// The alias of the KMS key.
    pub fn key_alias(&self) -> String {
        format!("alias/{}", self.prefix())
    }

    /// The alias of the KMS key that encrypts secrets in Pulumi's state: it is there before the first stack.
    pub fn pulumi_key_alias(&self) -> String {
        format!("alias/{}-pulumi", self.prefix())
    }

    /// An ECS service.
    pub fn service(&self, service: &str) -> String {
        slug(service)
    }

    /// The container of a service in its task definition.
    pub fn container(&self, service: &str) -> String {
        slug(service)
    }

    /// The family of a service's task definitions.
    pub fn task_family(&self, service: &str) -> String {
        self.of(service)
    }

    /// The log group of a service's tasks.
    pub fn log_group(&self, service: &str) -> String {
        format!("/ecs/{}/{}", self.prefix(), slug(service))
    }

    /// The log group of what is typed in sessions in tasks.
    pub fn session_log_group(&self) -> String {
        format!("/ecs-exec/{}", self.prefix())
    }

    /// The ECR repository of a service's images.
    pub fn repository(&self, service: &str) -> String {
        format!("{}/{}", self.prefix(), slug(service))
    }

    /// The role by which ECS starts a service's tasks.
    pub fn execution_role(&self, service: &str) -> String {
        format!("{}-execution", self.of(service))
    }

    /// The role that a service's program has.
    pub fn task_role(&self, service: &str) -> String {
        format!("{}-task", self.of(service))
    }

    /// The role by which ECS moves a service's traffic between target groups.
    pub fn traffic_role(&self, service: &str) -> String {
        format!("{}-traffic", self.of(service))
    }

    /// The role by which the scheduler starts a job.
    pub fn schedule_role(&self, service: &str) -> String {
        format!("{}-schedule", self.of(service))
    }

    /// The schedule of a job.
    pub fn schedule(&self, service: &str) -> String {
        self.of(service)
    }

    /// The queue of a job's failed runs, and the rule that fills it.
    pub fn job_failures(&self, service: &str) -> String {
        format!("{}-failures", self.of(service))
    }

    /// The security group of a service's tasks, of the cache, or of the load balancer.
    pub fn security_group(&self, service: &str) -> String {
        self.of(service)
    }

    /// The target group that a service's tasks are registered in.
    pub fn target_group(&self, service: &str) -> String {
        self.of(service)
    }

    /// The second target group, where a strategy moves traffic between two.
    pub fn alternate_target_group(&self, service: &str) -> String {
        format!("{}-alt", self.of(service))
    }

    /// The replication group of a cache.
    pub fn cache(&self, service: &str) -> String {
        self.of(service)
    }

    /// An alarm of a service.
    pub fn alarm(&self, service: &str, alarm: &str) -> String {
        format!("{}-{}", self.of(service), slug(alarm))
    }

    /// A secret in Secrets Manager.
    pub fn secret(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// The secret that says where a managed cache is, and its password.
    pub fn cache_secret(&self, service: &str) -> String {
        self.secret(&format!("{service}-cache"))
    }

    /// The role of the pipeline that plans, pushes or deploys.
    pub fn pipeline_role(&self, duty: &str) -> String {
        format!("{}-pipeline-{duty}", self.prefix())
    }

    /// The bucket of the load balancer's access logs.
    pub fn log_bucket(&self, account: &str) -> String {
        format!("{}-logs-{account}", self.prefix())
    }

    /// The bucket that holds the state of both roots, and the deploy lock.
    pub fn state_bucket(&self, account: &str) -> String {
        format!("{}-state-{account}", self.prefix())
    }

    /// The state of a root (`foundation`, `services`) in the state bucket.
    pub fn state_key(&self, root: &str) -> String {
        format!("{root}.tfstate")
    }

    /// The deploy lock in the state bucket.
    pub fn lock_key(&self) -> String {
        "deploy.lock".to_owned()
    }

    /// Names of the whole stack that AWS does not take.
    pub fn too_long(&self) -> Vec<TooLong> {
        // S3 takes 63, and an account has 12 digits.
        let account = "123456789012";
        longer([
            ("load balancer", self.load_balancer(), 32),
            ("state bucket", self.state_bucket(account), 63),
            ("log bucket", self.log_bucket(account), 63),
            ("role", self.pipeline_role("deploy"), 64),
        ])
    }

    /// Names of one service that AWS does not take.
    pub fn too_long_of(&self, service: &str, has: Has) -> Vec<TooLong> {
        let mut names = vec![("role", self.execution_role(service), 64)];
        if has.is_routed {
            names.push(("target group", self.target_group(service), 32));
        }
        if has.shifts_traffic {
            names.push(("target group", self.alternate_target_group(service), 32));
        }
        if has.is_cache {
            names = vec![("replication group", self.cache(service), 40)];
        }
        longer(names)
    }

    fn of(&self, service: &str) -> String {
        format!("{}-{}", self.prefix(), slug(service))
    }
}

/// What a service has that has a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Has {
    /// A target group.
    pub is_routed: bool,
    /// A second one.
    pub shifts_traffic: bool,
    /// A replication group instead of tasks.
    pub is_cache: bool,
}

fn longer(names: impl IntoIterator<Item = (&'static str, String, usize)>) -> Vec<TooLong> {
    let names = names.into_iter();
    names
        .filter(|(_, name, limit)| name.len() > *limit)
        .map(|(what, name, limit)| TooLong { what, name, limit })
        .collect()
}

/// A name in the letters that every AWS service takes: lower case, digits and single hyphens.
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// The variable of the services root that a channel's webhook is given by.
pub(crate) fn webhook_variable(channel: &str) -> String {
    format!("{}_webhook", identifier(channel))
}

/// A name as Terraform and TypeScript take it for a thing: letters, digits and underscores, not beginning with a digit.
pub fn identifier(name: &str) -> String {
    let identifier = slug(name).replace('-', "_");
    match identifier.chars().next() {
        Some(c) if c.is_ascii_digit() => format!("s_{identifier}"),
        _ => identifier,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words_with_single_hyphens() {
        let cases = [
            ("clock", "clock"),
            ("My_Service.v2", "my-service-v2"),
            ("_a__b_", "a-b"),
        ];
        for (name, want) in cases {
            assert_eq!(slug(name), want);
        }
        assert_eq!(identifier("9-lives"), "s_9_lives");
    }

    #[test]
    fn each_thing_has_its_name() {
        let names = Names::new("shop", "staging");
        assert_eq!(names.cluster(), "shop-staging");
        assert_eq!(names.log_group("web"), "/ecs/shop-staging/web");
        assert_eq!(names.secret("db_password"), "shop/staging/db_password");
        assert_eq!(names.state_bucket("1"), "shop-staging-state-1");
    }

    #[test]
    fn a_name_that_aws_does_not_take_is_told() {
        let names = Names::new("a-shop-with-a-long-name", "production");
        let whole: Vec<_> = names.too_long().iter().map(|name| name.what).collect();
        assert_eq!(whole, ["load balancer"]);
        let has = Has {
            is_routed: true,
            ..Has::default()
        };
        assert_eq!(names.too_long_of("web", has)[0].limit, 32);
    }
}
