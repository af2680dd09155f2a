//! Secrets by their looks: those whose issuer gave them a prefix, and those with an unmistakable form.

use super::super::class::{class_at, digits};
use super::super::number::hex_run;
use super::checksum;

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Set {
    /// Letters and digits.
    Alnum,
    /// Uppercase letters and digits.
    Upper,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits, `_` and `-`.
    Url,
    /// The same with `.`.
    Dots,
    /// The same with `+`, `/` and `=`.
    Base64,
}

impl Set {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dots => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=')
            }
        }
    }
}

/// A prefix, what follows it and how much of it at least, and the kind of secret.
type Pattern = (&'static [u8], Set, usize, &'static str);

/// Sorted by the first byte; a longer prefix before a shorter one.
static PATTERNS: [Pattern; 104] = [
    (b"A3T", Set::Upper, 17, "aws_access_key"),
    (b"ABIA", Set::Upper, 16, "aws_access_key"),
    (b"ACCA", Set::Upper, 16, "aws_access_key"),
    (b"AGE-SECRET-KEY-1", Set::Upper, 40, "age_key"),
    (b"AIza", Set::Url, 30, "google_api_key"),
    (b"AKIA", Set::Upper, 12, "aws_access_key"),
    (b"AKID", Set::Alnum, 28, "tencent_secret_id"),
    (b"ASIA", Set::Upper, 12, "aws_access_key"),
    (b"ATATT3", Set::Base64, 40, "atlassian_token"),
    (b"ATBB", Set::Alnum, 28, "bitbucket_token"),
    (b"CCIPAT_", Set::Url, 24, "circleci_token"),
    (b"CLOJARS_", Set::Alnum, 40, "clojars_token"),
    (b"EAAA", Set::Url, 40, "square_token"),
    (b"EZAK", Set::Alnum, 40, "easypost_key"),
    (b"EZTK", Set::Alnum, 40, "easypost_key"),
    (b"FLWSECK", Set::Url, 24, "flutterwave_key"),
    (b"GOCSPX-", Set::Url, 20, "google_oauth_secret"),
    (b"HRKU-", Set::Url, 30, "heroku_key"),
    (b"LTAI", Set::Alnum, 12, "alibaba_access_key"),
    (b"NRAA-", Set::Alnum, 20, "newrelic_key"),
    (b"NRAK-", Set::Alnum, 20, "newrelic_key"),
    (b"NRAL-", Set::Alnum, 20, "newrelic_key"),
    (b"NRII-", Set::Url, 20, "newrelic_key"),
    (b"NRIQ-", Set::Url, 20, "newrelic_key"),
    (b"NRJS-", Set::Alnum, 16, "newrelic_key"),
    (b"PMAK-", Set::Url, 30, "postman_key"),
    (b"SG.", Set::Dots, 40, "sendgrid_key"),
    (b"SK", Set::Hex, 32, "twilio_key"),
    (b"amzn.mws.", Set::Url, 30, "aws_mws_key"),
    (b"atlasv1.", Set::Url, 40, "terraform_token"),
    (b"bkua_", Set::Hex, 30, "buildkite_token"),
    (b"cio", Set::Alnum, 32, "crates_io_token"),
    (b"ctx7sk-", Set::Url, 20, "context7_key"),
    (b"dapi", Set::Hex, 32, "databricks_token"),
    (b"ddapi_", Set::Url, 20, "datadog_key"),
    (b"ddp_", Set::Alnum, 30, "datadog_key"),
    (b"dckr_pat_", Set::Url, 20, "docker_token"),
    (b"doo_v1_", Set::Hex, 40, "digitalocean_token"),
    (b"dop_v1_", Set::Hex, 40, "digitalocean_token"),
    (b"dor_v1_", Set::Hex, 40, "digitalocean_token"),
    (b"dp.", Set::Dots, 36, "doppler_token"),
    (b"dt0c01.", Set::Dots, 40, "dynatrace_token"),
    (b"duffel_", Set::Url, 30, "duffel_token"),
    (b"eyJ", Set::Dots, 30, "jwt"),
    (b"fig", Set::Url, 40, "figma_token"),
    (b"fio-u-", Set::Url, 40, "frameio_token"),
    (b"fo1_", Set::Url, 30, "fly_token"),
    (b"github_pat_", Set::Url, 22, "github_token"),
    (b"gho_", Set::Alnum, 30, "github_token"),
    (b"ghp_", Set::Alnum, 30, "github_token"),
    (b"ghr_", Set::Alnum, 30, "github_token"),
    (b"ghs_", Set::Alnum, 30, "github_token"),
    (b"ghu_", Set::Alnum, 30, "github_token"),
    (b"glc_", Set::Base64, 32, "grafana_token"),
    (b"gldt-", Set::Url, 16, "gitlab_token"),
    (b"glpat-", Set::Dots, 16, "gitlab_token"),
    (b"glptt-", Set::Url, 30, "gitlab_token"),
    (b"glrt-", Set::Dots, 16, "gitlab_token"),
    (b"glsa_", Set::Url, 32, "grafana_token"),
    (b"glsoat-", Set::Url, 16, "gitlab_token"),
    (b"gsk_", Set::Alnum, 40, "groq_key"),
    (b"hf_", Set::Alnum, 30, "huggingface_token"),
    (b"hvb.", Set::Url, 24, "vault_token"),
    (b"hvr.", Set::Url, 24, "vault_token"),
    (b"hvs.", Set::Url, 24, "vault_token"),
    (b"key-", Set::Hex, 32, "mailgun_key"),
    (b"lin_api_", Set::Alnum, 32, "linear_key"),
    (b"lin_oauth_", Set::Alnum, 32, "linear_key"),
    (b"nfp_", Set::Alnum, 36, "netlify_token"),
    (b"npm_", Set::Alnum, 30, "npm_token"),
    (b"ntn_", Set::Alnum, 40, "notion_token"),
    (b"oy2", Set::Alnum, 43, "nuget_key"),
    (b"pat", Set::Dots, 79, "airtable_token"),
    (b"phc_", Set::Alnum, 40, "posthog_key"),
    (b"phx_", Set::Alnum, 40, "posthog_key"),
    (b"pplx-", Set::Alnum, 32, "perplexity_key"),
    (b"pscale_", Set::Dots, 32, "planetscale_token"),
    (b"pul-", Set::Hex, 40, "pulumi_token"),
    (b"pypi-", Set::Url, 32, "pypi_token"),
    (b"r8_", Set::Alnum, 36, "replicate_token"),
    (b"rdme_", Set::Alnum, 60, "readme_token"),
    (b"rk_live_", Set::Alnum, 16, "stripe_key"),
    (b"rk_test_", Set::Alnum, 16, "stripe_key"),
    (b"rubygems_", Set::Hex, 40, "rubygems_key"),
    (b"sbp_", Set::Hex, 36, "supabase_token"),
    (b"secret_", Set::Alnum, 40, "notion_token"),
    (b"sentr", Set::Base64, 60, "sentry_token"),
    (b"shippo_", Set::Url, 40, "shippo_token"),
    (b"shp", Set::Url, 34, "shopify_token"),
    (b"sk-ant-", Set::Url, 20, "anthropic_key"),
    (b"sk-", Set::Url, 20, "openai_key"),
    (b"sk_live_", Set::Alnum, 16, "stripe_key"),
    (b"sk_test_", Set::Alnum, 16, "stripe_key"),
    (b"sq0", Set::Url, 24, "square_token"),
    (b"sqp_", Set::Hex, 36, "sonar_token"),
    (b"squ_", Set::Hex, 36, "sonar_token"),
    (b"tfp_", Set::Dots, 40, "typeform_token"),
    (b"tskey-", Set::Url, 20, "tailscale_key"),
    (b"vercel_", Set::Alnum, 20, "vercel_token"),
    (b"whsec_", Set::Base64, 20, "webhook_secret"),
    (b"xai-", Set::Alnum, 60, "xai_key"),
    (b"xapp-", Set::Url, 20, "slack_token"),
    (b"xox", Set::Url, 20, "slack_token"),
    (b"ya29.", Set::Url, 20, "google_oauth_token"),
];

/// The shortest secret that is known by its looks.
const SHORTEST: usize = 11;

/// Where the patterns with each first byte begin; the last entry is their number.
static FIRST: [u8; 257] = {
    let mut table = [0; 257];
    let (mut byte, mut at) = (0, 0);
    while byte <= 256 {
        while at < PATTERNS.len() && (PATTERNS[at].0[0] as usize) < byte {
            at += 1;
        }
        table[byte] = at as u8;
        byte += 1;
    }
    table
};

/// The secret that `item` begins with, as its length and kind.
pub(in super::super) fn known(item: &[u8]) -> Option<(usize, &'static str)> {
    known_at(item, 0, item.len())
}

/// The secret at `start`, as its length and kind. The word in which it is goes to `end`; the secret may go on after it.
#[inline]
pub(in super::super) fn known_at(bytes: &[u8], start: usize, end: usize) -> Option<(usize, &'static str)> {
    let first = *bytes.get(start)?;
    if first.is_ascii_digit() {
        return numbered(bytes, start, end);
    }
    if end - start < SHORTEST {
        if end - start != 4 || !first.is_ascii_uppercase() {
            return None;
        }
        let account = checksum::bank_account(bytes, start)?;
        return Some((account - start, "iban"));
    }
    let range = FIRST[first as usize] as usize..FIRST[first as usize + 1] as usize;
    for (prefix, set, least, name) in &PATTERNS[range] {
        if bytes[start..].starts_with(prefix)
            && let Some(len) = follows(bytes, start + prefix.len(), *set, *least)
            && is_shaped(name, &bytes[start..start + prefix.len() + len])
        {
            return Some((prefix.len() + len, name));
        }
    }
    if let Some(end) = checksum::bank_account(bytes, start) {
        return Some((end - start, "iban"));
    }
    unprefixed(bytes, start, end)
}

/// The length of at least `least` characters of `set` at `start` that look random: a digit, or both cases.
fn follows(bytes: &[u8], start: usize, set: Set, least: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let mut len = rest.iter().position(|byte| !set.has(*byte)).unwrap_or(rest.len());
    while len > 0 && rest[len - 1] == b'.' {
        len -= 1;
    }
    let rest = &rest[..len];
    (len >= least && (rest.iter().any(u8::is_ascii_digit) || is_mixed(rest))).then_some(len)
}

fn is_mixed(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase)
}

/// What a prefix and a set of characters do not say.
fn is_shaped(name: &str, text: &[u8]) -> bool {
    let dots = || text.iter().filter(|byte| **byte == b'.').count();
    match name {
        // Three parts, or a header alone, which says nothing secret but is never written on purpose.
        "jwt" => dots() >= 1 || text.len() >= 60,
        "sendgrid_key" => dots() == 2,
        "twilio_key" | "mailgun_key" => text.len() <= 36,
        "databricks_token" => text.len() <= 40,
        "crates_io_token" => text.len() == 35 && is_mixed(text),
        "aws_access_key" => (16..=24).contains(&text.len()),
        "slack_token" => text[3] != b'-' || text.starts_with(b"xapp"),
        "shopify_token" => {
            text.get(3..6).is_some_and(|kind| matches!(kind, b"at_" | b"ca_" | b"pa_" | b"ss_"))
        }
        "sentry_token" => text.get(5..8).is_some_and(|kind| matches!(kind, b"ys_" | b"yu_")),
        "figma_token" => text.get(3..5).is_some_and(|kind| matches!(kind, b"d_" | b"u_" | b"o_")),
        "airtable_token" => text.get(17) == Some(&b'.'),
        "square_token" => {
            text.starts_with(b"EAAA") || matches!(text.get(3..7), Some(b"atp-" | b"csp-" | b"idp-"))
        }
        "doppler_token" => text.get(3..).is_some_and(|rest| {
            [&b"pt."[..], b"st.", b"ct.", b"sa.", b"scim.", b"audit."]
                .iter()
                .any(|kind| rest.starts_with(kind))
        }),
        _ => true,
    }
}

/// Secrets that begin with a digit.
#[inline]
fn numbered(bytes: &[u8], start: usize, end: usize) -> Option<(usize, &'static str)> {
    if end - start < 3 {
        return None;
    }
    let len = digits(bytes, start);
    match (len, bytes.get(start + len)) {
        (3, Some(b'-')) => checksum::social_security(bytes, start).map(|end| (end - start, "us_ssn")),
        (4, Some(b' ' | b'-')) | (14..=16, _) => {
            checksum::card(bytes, start).map(|end| (end - start, "credit_card"))
        }
        (8..=10, Some(b':')) if bytes[start + len..].starts_with(b":AA") => {
            let rest = follows(bytes, start + len + 1, Set::Url, 32)?;
            Some((len + 1 + rest, "telegram_token"))
        }
        _ if end - start >= SHORTEST => unprefixed(bytes, start, end),
        _ => None,
    }
}

/// Secrets with a form of their own.
fn unprefixed(bytes: &[u8], start: usize, end: usize) -> Option<(usize, &'static str)> {
    let text = bytes.get(start..end)?;
    let len = text.len();
    let hex = hex_run(bytes, start).min(end) - start;
    if hex == 32 && bytes[start + 32..].starts_with(b"-us") && digits(bytes, start + 35) > 0 {
        return Some((35 + digits(bytes, start + 35), "mailchimp_key"));
    }
    if len >= 60
        && let Some(dot) = text.iter().position(|byte| *byte == b'.')
        && text[dot..].starts_with(b".atlasv1.")
    {
        return Some((len, "terraform_token"));
    }
    if (56..=80).contains(&len) && matches!(text[0], b'M' | b'N' | b'O') && is_discord(text) {
        return Some((len, "discord_token"));
    }
    if len >= 37 && text[3..].starts_with(b"8Q~") {
        return Some((len, "azure_client_secret"));
    }
    // A line of a key's or certificate's body.
    let alone = start == 0
        && class_at(bytes, end) == 0
        && bytes[end..].iter().all(|byte| *byte == b'=' || *byte <= b' ');
    let dense = || text.iter().all(|byte| Set::Base64.has(*byte) && !matches!(byte, b'_' | b'-' | b'.'));
    if alone && (60..=76).contains(&len) && dense() && is_mixed(text) && text.iter().any(u8::is_ascii_digit) {
        return Some((len, "private_key"));
    }
    None
}

/// Three parts: an id, a time and a signature.
fn is_discord(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.').map(<[u8]>::len);
    let id = parts.next().is_some_and(|len| (23..=28).contains(&len));
    let time = parts.next().is_some_and(|len| len == 6);
    let signature = parts.next().is_some_and(|len| (27..=40).contains(&len));
    id && time && signature && parts.next().is_none() && is_mixed(text)
}

/// Where in a URL (without its scheme) the secret of a webhook begins, and its kind.
pub(in super::super) fn webhook(url: &[u8]) -> Option<(usize, &'static str)> {
    const HOOKS: [(&[u8], &str); 7] = [
        (b"hooks.slack.com/services/", "slack_webhook"),
        (b"hooks.slack.com/workflows/", "slack_webhook"),
        (b"discord.com/api/webhooks/", "discord_webhook"),
        (b"discordapp.com/api/webhooks/", "discord_webhook"),
        (b"api.telegram.org/bot", "telegram_token"),
        (b"hooks.zapier.com/hooks/catch/", "zapier_webhook"),
        (b"outlook.office.com/webhook/", "teams_webhook"),
    ];
    HOOKS
        .iter()
        .find(|(hook, _)| url.starts_with(hook) && url.len() > hook.len())
        .map(|(hook, name)| (hook.len(), *name))
}
