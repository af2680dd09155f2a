//! What is secret, and what is not. The secrets are made up, and put together here so that nobody takes them for leaked.

use crate::logs::Miner;
use crate::logs::mask::Masker;
use crate::logs::miner::Settings;

const RANDOM: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6a7B8c9D0e1F2g3H4i5J6k7L8m9N0";
const HEX: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const UPPER: &str = "Q1W2E3R4T5Y6U7I8O9P0A1S2D3F4G5H6J7K8L9Z0X1C2V3B4N5M6";

fn random(prefix: &str, len: usize) -> String {
    format!("{prefix}{}", &RANDOM[..len])
}

fn hex(prefix: &str, len: usize) -> String {
    format!("{prefix}{}", &HEX[..len])
}

/// Prefixes, and how many random characters follow.
const PREFIXED: [(&str, usize); 54] = [
    ("AIza", 35),
    ("ya29.", 40),
    ("GOCSPX-", 28),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghu_", 36),
    ("ghs_", 36),
    ("ghr_", 36),
    ("github_pat_", 60),
    ("glpat-", 20),
    ("glrt-", 20),
    ("gldt-", 20),
    ("sk_live_", 24),
    ("rk_live_", 24),
    ("sk_test_", 24),
    ("whsec_", 32),
    ("npm_", 36),
    ("pypi-AgEIcHlwaS5vcmc", 60),
    ("hvs.", 24),
    ("hvb.", 40),
    ("sk-", 48),
    ("sk-proj-", 48),
    ("sk-ant-api03-", 60),
    ("hf_", 34),
    ("lin_api_", 40),
    ("xoxb-12345678901-", 24),
    ("xoxp-12345678901-", 24),
    ("xapp-1-", 40),
    ("NRAK-", 27),
    ("NRJS-", 19),
    ("HRKU-", 36),
    ("gsk_", 52),
    ("pplx-", 48),
    ("nfp_", 40),
    ("r8_", 37),
    ("ntn_", 46),
    ("secret_", 43),
    ("figd_", 40),
    ("glsa_", 41),
    ("dckr_pat_", 27),
    ("dp.pt.", 43),
    ("dt0c01.", 60),
    ("PMAK-", 59),
    ("pscale_tkn_", 43),
    ("tskey-auth-", 30),
    ("EAAA", 60),
    ("sq0atp-", 22),
    ("sq0csp-", 43),
    ("oy2", 43),
    ("LTAI", 20),
    ("FLWSECK-", 32),
    ("tfp_", 59),
    ("CLOJARS_", 60),
    ("ATATT3", 60),
];

/// The same with hexadecimal digits.
const HEXADECIMAL: [(&str, usize); 13] = [
    ("SK", 32),
    ("dapi", 32),
    ("dop_v1_", 64),
    ("doo_v1_", 64),
    ("key-", 32),
    ("shpat_", 32),
    ("shpss_", 32),
    ("shpca_", 32),
    ("pul-", 40),
    ("sbp_", 40),
    ("rubygems_", 48),
    ("squ_", 40),
    ("bkua_", 40),
];

/// Secrets that are known by their looks: what is planted, and what must be gone.
fn by_looks() -> Vec<String> {
    let mut all: Vec<String> = PREFIXED.iter().map(|(prefix, len)| random(prefix, *len)).collect();
    all.extend(HEXADECIMAL.iter().map(|(prefix, len)| hex(prefix, *len)));
    all.push(format!("AKIA{}", &UPPER[..16]));
    all.push(format!("ASIA{}", &UPPER[..16]));
    all.push(format!("AGE-SECRET-KEY-1{UPPER}"));
    all.push(format!("SG.{}.{}", &RANDOM[..22], &RANDOM[..43]));
    all.push(format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", &RANDOM[..40], &RANDOM[..43]));
    all.push(format!("{}.atlasv1.{}", &RANDOM[..14], &RANDOM[..60]));
    all.push(format!("MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{}", &RANDOM[..30]));
    all.push(format!("123456789:AA{}", &RANDOM[..33]));
    all.push(format!("{}-us12", &HEX[..32]));
    all.push("4111 1111 1111 1111".to_owned());
    all.push("5500005555555559".to_owned());
    all.push("378282246310005".to_owned());
    all.push("078-05-1120".to_owned());
    all.push("GB82WEST12345698765432".to_owned());
    all.push("DE89 3704 0044 0532 0130 00".to_owned());
    all
}

#[test]
fn secrets_known_by_their_looks_are_taken_out_wherever_they_stand() {
    let mut masker = Masker::default();
    for secret in by_looks() {
        for line in [
            secret.clone(),
            format!("using {secret} now"),
            format!("value={secret}, next=1"),
            format!("{{\"value\":\"{secret}\",\"n\":1}}"),
            format!("got '{secret}'."),
            format!("a:{secret}"),
        ] {
            let redacted = masker.redact(&line);
            assert!(!redacted.contains(&secret) && redacted.contains("<SECRET>"), "{line} -> {redacted}");
            assert!(redacted.len() < line.len().max(12) + 8, "{line} -> {redacted}");
        }
    }
}

#[test]
fn secrets_announced_by_a_key_are_taken_out_in_every_spelling() {
    let secret = "Tr0ub4dor-3xyz9";
    let mut masker = Masker::default();
    for key in [
        "password",
        "passwd",
        "PASSWORD",
        "db_password",
        "DB_PASSWORD",
        "dbPassword",
        "spring.datasource.password",
        "pwd",
        "user-pass",
        "passphrase",
        "secret",
        "client_secret",
        "clientSecret",
        "api_key",
        "apikey",
        "api-key",
        "X-Api-Key",
        "APIKEY",
        "token",
        "access_token",
        "accessToken",
        "refresh_token",
        "auth_token",
        "id_token",
        "private_key",
        "aws_secret_access_key",
        "AccountKey",
        "SharedAccessKey",
        "DD_API_KEY",
        "NEW_RELIC_LICENSE_KEY",
        "HEROKU_API_KEY",
        "encryption_key",
        "session_token",
        "credential",
    ] {
        for line in [
            format!("{key}={secret}"),
            format!("start {key}={secret} end"),
            format!("{key}: {secret}"),
            format!("{key} = \"{secret}\", x"),
            format!("{key}='{secret}'"),
            format!("{{\"{key}\":\"{secret}\"}}"),
            format!("{{\"{key}\": \"{secret}\", \"n\": 1}}"),
            format!("{{\\\"{key}\\\":\\\"{secret}\\\"}}"),
            format!("Server=db;{key}={secret};Port=1"),
            format!("https://example.com/a?x=1&{key}={secret}&y=2"),
            format!("{key} => {secret}"),
        ] {
            let redacted = masker.redact(&line);
            assert!(!redacted.contains(secret) && redacted.contains("<SECRET>"), "{line} -> {redacted}");
        }
    }
}

#[test]
fn a_password_may_begin_as_a_placeholder_does() {
    let mut masker = Masker::default();
    for password in
        ["$ecret1x", "$2b$12$abcdefghijkl", "%Tr0ub4dor", "{s3cr3t", "[q9w8e7", "*Abc12345", "(x1y2z3"]
    {
        for line in [format!("login password={password} ok"), format!("{{\"password\":\"{password}\"}}")] {
            let redacted = masker.redact(&line);
            assert!(!redacted.contains(password), "{line} -> {redacted}");
        }
    }
}

#[test]
fn secrets_announced_otherwise_are_taken_out() {
    let mut masker = Masker::default();
    for (line, expected) in [
        ("Authorization: Bearer abcDEF123456789", "Authorization: Bearer <SECRET>"),
        ("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic <SECRET>"),
        ("sent Bearer abcDEF123456789== ok", "sent Bearer <SECRET> ok"),
        ("postgres://shop:s3cr3t@db:5432/shop", "postgres://shop:<SECRET>@db:5432/shop"),
        ("redis://:s3cr3t@cache:6379", "redis://:<SECRET>@cache:6379"),
        ("mongodb+srv://u:p%40ss@c.example.net/x", "mongodb+srv://u:<SECRET>@c.example.net/x"),
        ("mysql --password hunter2 -h db", "mysql --password <SECRET> -h db"),
        ("curl -u admin:hunter2 http://x.example.com", "curl -u admin:<SECRET> http://x.example.com"),
        (
            "POST https://hooks.slack.com/services/T0/B0/x1y2z3 ok",
            "POST https://hooks.slack.com/services/<SECRET> ok",
        ),
        ("Cookie: sid=abc123; theme=dark", "Cookie: <SECRET>"),
        (
            "key -----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- end",
            "key <SECRET> end",
        ),
    ] {
        assert_eq!(masker.redact(line), expected);
    }
}

#[test]
fn what_only_looks_secret_stays() {
    let mut masker = Masker::default();
    for line in [
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 merged",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "id 6f1c8a4e-3b1d-4f7a-9c55-0a1b2c3d4e5f",
        "blk_4394112519745907149 and blk_-8376667364205250596",
        "md5 d41d8cd98f00b204e9800998ecf8427e etag \"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
        "org.apache.hadoop.security.token.SecretManager started",
        "Token: Token { kind: ContainerToken, service: 10.0.0.1:8030 }",
        "token=Token{a64f992 Record}",
        "bad token: com.example.os.Proxy@2bd79ce",
        "max_tokens=4096 prompt_tokens: 12 token: 3",
        "password: <SECRET> token=*** secret=${SECRET} api_key=null",
        "password=$DB_PASSWORD2 token=%s secret=%TOKEN% passwd={{ db.password }} pwd=[hidden] api_key=$(api-key)",
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "authentication failure; logname= uid=0",
        "time 1700000000000 ns 1700000000000000000 us 1700000000000000",
        "task-1234567890abcdefghij sk-button disk-sk-1",
        "pod checkout-7d9f8b6c5d-x2x4z scheduled on node-12",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "Basic authentication is disabled; Bearer scheme is required",
        "-----BEGIN CERTIFICATE-----",
        "phone 555-1234 order 123-456-7890",
        "PWD=/home/ada pwd=/srv",
        "https://example.com/a/b?page=2&sort=asc",
        "class=com.example.auth.PasswordEncoder",
        "s3://bucket/key-2024/part-0001",
    ] {
        assert_eq!(masker.redact(line), line);
    }
}

#[test]
fn no_planted_secret_is_left_in_lines_templates_parameters_or_snapshots() {
    let mut masker = Masker::default();
    let mut miner = Miner::new(Settings::default());
    let secrets = by_looks();
    let mut left = String::new();
    for (i, secret) in secrets.iter().cycle().take(20 * secrets.len()).enumerate() {
        let line = match i % 5 {
            0 => format!("request {i} from 10.0.0.{} used {secret}", i % 250),
            1 => format!("worker-{i} loaded password={secret} for shop"),
            2 => format!("{{\"id\":{i},\"token\":\"{secret}\"}}"),
            3 => format!("step {i}: GET https://example.com/a?api_key={} failed", secret.replace(' ', "")),
            _ => format!("retry {i} with header Authorization: Bearer {} now", secret.replace(' ', "")),
        };
        let masked = masker.mask(&line);
        left.push_str(masked.text);
        masked.parameters().for_each(|(_, text)| left.push_str(text));
        miner.learn(&masked);
    }
    miner.templates().for_each(|(template, _)| left.push_str(template.text()));
    left.push_str(&String::from_utf8_lossy(&miner.snapshot().unwrap()));
    for secret in &secrets {
        let compact = secret.replace(' ', "");
        assert!(!left.contains(secret.as_str()) && !left.contains(&compact), "{secret}");
    }
}
