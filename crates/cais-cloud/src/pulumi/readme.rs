//! The README of the rendered Pulumi programs: what is where, and the order of commands.

use super::project_name;
use crate::names::Names;
use crate::resource::{Infrastructure, Input, RootKind};
use std::fmt::Write;

/// The same for every environment of a project but for the commands, which name the one that was rendered last.
pub(super) fn readme(infrastructure: &Infrastructure) -> String {
    let names = Names::new(&infrastructure.project, "ENVIRONMENT");
    let project = &infrastructure.project;
    let region = &infrastructure.region;
    let bucket = names.state_bucket("ACCOUNT");
    let alias = names.pulumi_key_alias();
    let foundation = project_name(infrastructure, RootKind::Foundation);
    let services = project_name(infrastructure, RootKind::Services);
    let mut out = format!(
        "<!-- {} -->\n# {project} on AWS, with Pulumi\n\n\
         Two projects: `foundation/` (`{foundation}`) has what exists before the first image; `services/` (`{services}`) has what \
         runs, and reads the foundation's outputs by a stack reference. Each environment is a stack with a program and settings of \
         its own: `staging.ts` and `Pulumi.staging.yaml`. `modules/` has a component for each part. The state stands in S3, its \
         secrets are encrypted with a KMS key.\n\n\
         New revisions of the services are deployed by `cais deploy`; that is why a service's `taskDefinition` and `desiredCount` \
         are left alone once it is there.\n\n",
        super::HEADER
    );
    let _ = write!(
        out,
        "## Once for each environment\n\n\
         ```sh\n\
         npm install\n\
         aws s3api create-bucket --bucket {bucket} --region {region} \\\n  --create-bucket-configuration LocationConstraint={region}\n\
         aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled\n\
         aws kms create-alias --alias-name {alias} \\\n  --target-key-id \"$(aws kms create-key --query KeyMetadata.KeyId --output text)\"\n\
         pulumi login 's3://{bucket}?region={region}'\n\
         pulumi -C foundation stack init ENVIRONMENT --secrets-provider 'awskms://{alias}?region={region}'\n\
         pulumi -C services stack init ENVIRONMENT --secrets-provider 'awskms://{alias}?region={region}'\n\
         ```\n\n\
         `stack init` adds an `encryptedkey` to `Pulumi.ENVIRONMENT.yaml`: commit it. `cais infra pulumi` keeps it, and whatever else \
         `pulumi config set` writes there.\n\n\
         ## Each time\n\n\
         ```sh\n\
         pulumi -C foundation up --stack ENVIRONMENT\n\
         cais -E ENVIRONMENT push   # the images; the tag it prints is imageTag\n\
         {}pulumi -C services up --stack ENVIRONMENT\n\
         ```\n",
        settings(&infrastructure.services.variables)
    );
    out
}

/// `pulumi config set` for what nobody but the caller knows.
fn settings(variables: &[Input]) -> String {
    let mut out = String::new();
    for input in variables.iter().filter(|input| input.default.is_none()) {
        let name = super::camel(&input.name);
        let _ = writeln!(
            out,
            "pulumi -C services config set --stack ENVIRONMENT {name} VALUE   # {}",
            input.description
        );
    }
    out
}
