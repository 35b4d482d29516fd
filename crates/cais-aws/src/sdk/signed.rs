//! The few questions to services whose crate is not worth its build time (`ec2` alone would double the build): requests
//! that we write and sign, answered by what `verify` needs of them. It holds no policy.

use super::error::Error;
use super::session::Session;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// For one question; it is asked once.
const WITHIN: Duration = Duration::from_secs(10);
/// DescribeSubnets by ids answers for so many at once.
const SUBNETS_AT_ONCE: usize = 100;
/// `Fargate On-Demand vCPU resource count`, the quota that bounds how many tasks an account runs in a region.
const FARGATE_VCPUS: &str = "L-3032A538";

/// A request to one service.
struct Question<'q> {
    /// As IAM calls it.
    operation: &'static str,
    /// The name in the signature and in the endpoint.
    service: &'q str,
    /// The variable that names another endpoint.
    endpoint: &'q str,
    headers: &'q [(&'static str, &'q str)],
    body: String,
}

impl Session {
    /// Addresses that are still free in each of these subnets, by id.
    ///
    /// # Errors
    /// AWS's no; as a rule, the caller may not ask.
    pub async fn free_addresses(&self, subnets: &[String]) -> Result<BTreeMap<String, u32>, Error> {
        let mut found = BTreeMap::new();
        for some in subnets.chunks(SUBNETS_AT_ONCE) {
            let mut body = "Action=DescribeSubnets&Version=2016-11-15".to_owned();
            for (index, subnet) in some.iter().enumerate() {
                body.push_str(&format!("&SubnetId.{}={subnet}", index + 1));
            }
            let answer = self
                .ask(&Question {
                    operation: "ec2:DescribeSubnets",
                    service: "ec2",
                    endpoint: "AWS_ENDPOINT_URL_EC2",
                    headers: &[(
                        "content-type",
                        "application/x-www-form-urlencoded; charset=utf-8",
                    )],
                    body,
                })
                .await?;
            found.extend(addresses(&answer));
        }
        Ok(found)
    }

    /// How many vCPUs the account's Fargate tasks may have in this region.
    ///
    /// # Errors
    /// AWS's no; as a rule, the caller may not ask.
    pub async fn fargate_vcpus(&self) -> Result<f64, Error> {
        const OPERATION: &str = "servicequotas:GetServiceQuota";
        let answer = self
            .ask(&Question {
                operation: OPERATION,
                service: "servicequotas",
                endpoint: "AWS_ENDPOINT_URL_SERVICE_QUOTAS",
                headers: &[
                    ("content-type", "application/x-amz-json-1.1"),
                    ("x-amz-target", "ServiceQuotasV20190624.GetServiceQuota"),
                ],
                body: serde_json::json!({ "ServiceCode": "fargate", "QuotaCode": FARGATE_VCPUS })
                    .to_string(),
            })
            .await?;
        serde_json::from_str::<serde_json::Value>(&answer)
            .ok()
            .and_then(|answer| answer["Quota"]["Value"].as_f64())
            .ok_or_else(|| Error::invalid(OPERATION, "the answer has no `Quota.Value`"))
    }

    async fn ask(&self, question: &Question<'_>) -> Result<String, Error> {
        let operation = question.operation;
        let unreachable =
            |error: reqwest::Error| Error::unreachable(operation, error.without_url().to_string());
        let url = self.endpoint(question);
        let headers = self.signature(question, &url).await?;
        // For the process, as the images' registry has it: whoever came first has set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        self.count(operation);
        let mut request = reqwest::Client::builder()
            .timeout(WITHIN)
            .build()
            .map_err(unreachable)?
            .post(&url)
            .body(question.body.clone());
        for (name, value) in question.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(unreachable)?;
        if status == 200 {
            return Ok(text);
        }
        let (code, message) = no(&text);
        Err(Error::answered(operation, code, message, status))
    }

    /// AWS's own, or the one that a variable names, as the SDK has it.
    fn endpoint(&self, question: &Question<'_>) -> String {
        let named = std::env::var(question.endpoint)
            .ok()
            .or_else(|| self.config().endpoint_url().map(str::to_owned));
        let region = self.region();
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let url = named.unwrap_or_else(|| {
            format!(
                "https://{}.{region}.amazonaws.com{suffix}",
                question.service
            )
        });
        format!("{}/", url.trim_end_matches('/'))
    }

    /// The headers that sign a request.
    async fn signature(
        &self,
        question: &Question<'_>,
        url: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let operation = question.operation;
        let refused =
            |error: &dyn std::error::Error| Error::credentials(operation, error.to_string());
        let provider = self
            .config()
            .credentials_provider()
            .ok_or_else(|| Error::credentials(operation, "there are no credentials".to_owned()))?;
        let identity = provider
            .provide_credentials()
            .await
            .map_err(|error| refused(&error))?
            .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name(question.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| refused(&error))?
            .into();
        let signable = SignableRequest::new(
            "POST",
            url,
            question.headers.iter().copied(),
            SignableBody::Bytes(question.body.as_bytes()),
        )
        .map_err(|error| refused(&error))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| refused(&error))?
            .into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers
            .into_iter()
            .map(|header| (header.name().to_owned(), header.value().to_owned()))
            .collect())
    }
}

/// The text of each element of this name, in order. What AWS writes has neither attributes on these nor comments.
fn elements<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&open)
        .skip(1)
        .filter_map(|rest| rest.split_once(&close).map(|(inside, _)| inside))
        .collect()
}

/// Of DescribeSubnets' answer: the two are in each item once.
fn addresses(answer: &str) -> BTreeMap<String, u32> {
    let free = elements(answer, "availableIpAddressCount")
        .into_iter()
        .map(|count| count.trim().parse().unwrap_or(0));
    elements(answer, "subnetId")
        .into_iter()
        .map(str::to_owned)
        .zip(free)
        .collect()
}

/// Code and sentence of an answer that is a no, in either protocol.
fn no(answer: &str) -> (Option<String>, String) {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(answer) {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let code =
            text("__type").map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
        return (
            code,
            text("message")
                .or_else(|| text("Message"))
                .unwrap_or_default(),
        );
    }
    let first = |name: &str| {
        elements(answer, name)
            .first()
            .map(|text| (*text).to_owned())
    };
    (first("Code"), first("Message").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_addresses_are_read_by_subnet() {
        let answer = "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId><availableIpAddressCount>251</availableIpAddressCount></item>\
            <item><availableIpAddressCount>3</availableIpAddressCount><subnetId>subnet-2</subnetId></item></subnetSet></DescribeSubnetsResponse>";
        let expected = BTreeMap::from([("subnet-1".to_owned(), 251), ("subnet-2".to_owned(), 3)]);
        assert_eq!(addresses(answer), expected);
        assert_eq!(addresses("<html>not AWS</html>"), BTreeMap::new());
    }

    #[test]
    fn a_no_is_read_in_both_protocols() {
        let cases = [
            (
                "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You may not</Message></Error></Errors></Response>",
                Some("UnauthorizedOperation"),
                "You may not",
            ),
            (
                r#"{"__type":"com.amazonaws#AccessDeniedException","Message":"no"}"#,
                Some("AccessDeniedException"),
                "no",
            ),
            (
                r#"{"__type":"NoSuchResourceException","message":"none"}"#,
                Some("NoSuchResourceException"),
                "none",
            ),
            ("<html>", None, ""),
        ];
        for (answer, code, message) in cases {
            assert_eq!(
                no(answer),
                (code.map(str::to_owned), message.to_owned()),
                "{answer}"
            );
        }
    }
}
