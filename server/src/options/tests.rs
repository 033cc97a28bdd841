//! What is in force, of all that can be said.

use super::*;

#[test]
fn an_option_overrules_the_file_and_the_file_the_default() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "listen = \"127.0.0.1:1\"\ndomain = \"Example.com\"\nbuilds = 7\n").unwrap();
    let args = ServeArgs {
        config: Some(file.path().to_owned()),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
        ..ServeArgs::default()
    };
    let options = args.resolve().unwrap();
    assert_eq!((options.listen.port(), options.domain.as_str(), options.builds), (2, "example.com", 7));
    assert_eq!(options.web_url("shop", false), "http://shop.example.com:8080");
    assert!(options.data_dir.is_absolute());
    assert_eq!(options.api_host.as_str(), "api.example.com");
    let pattern = ServeArgs { api_host: Some("*.example.com".to_owned()), ..ServeArgs::default() };
    assert!(pattern.resolve().is_err(), "nobody has that name");
}

#[test]
fn behind_load_balancers_an_app_has_their_ports_and_their_scheme() {
    let options = ServeArgs { domain: Some("example.com".to_owned()), ..ServeArgs::default() };
    let options = Options { fleet: FleetSource::Aws("prod".parse().unwrap()), ..options.resolve().unwrap() };
    assert_eq!(options.web_url("shop", false), "http://shop.example.com");
    assert_eq!(options.web_url("shop", true), "https://shop.example.com");
}

#[test]
fn trusted_proxies_are_ranges_of_addresses() {
    let args = |text: &str| ServeArgs {
        trusted_proxies: Some(text.split(',').map(str::to_owned).collect()),
        ..ServeArgs::default()
    };
    assert_eq!(args("10.0.0.0/8, fd00::/8").resolve().unwrap().trusted_proxies.len(), 2);
    let error = format!("{:#}", args("10.0.0.0/8,alb").resolve().unwrap_err());
    assert!(error.starts_with("--trusted-proxies: `alb`"), "{error}");
    assert!(ServeArgs::default().resolve().unwrap().router_tls_listen.is_none());
}

#[test]
fn servers_that_share_a_database_have_a_directory_each() {
    let args = |name: Option<&str>, url: Option<&str>| ServeArgs {
        data_dir: Some("/srv/paas".into()),
        database_url: url.map(|url| url.parse().unwrap()),
        server_name: name.map(str::to_owned),
        ..ServeArgs::default()
    };
    let alone = args(Some("a"), None).resolve().unwrap();
    assert_eq!(alone.own("run"), PathBuf::from("/srv/paas/run"), "as it was before there could be several");
    let shared = args(Some("a"), Some("postgres://u:s3cret@db/paas"));
    assert!(!format!("{shared:?}").contains("s3cret"));
    let shared = shared.resolve().unwrap();
    assert!(!format!("{shared:?}").contains("s3cret"));
    assert_eq!(
        (shared.own("run"), shared.dir("blobs")),
        ("/srv/paas/servers/a/run".into(), "/srv/paas/blobs".into())
    );
    assert!(args(Some("../b"), Some("postgres://db/paas")).resolve().is_err());
}

#[test]
fn an_unknown_key_in_the_file_is_an_error_that_names_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "lisen = \"127.0.0.1:1\"\n").unwrap();
    let error =
        ServeArgs { config: Some(file.path().to_owned()), ..ServeArgs::default() }.resolve().unwrap_err();
    assert!(format!("{error:#}").contains("lisen"), "{error:#}");
}

#[test]
fn a_table_of_prices_is_read_at_the_start_or_the_server_does_not_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let args = || ServeArgs { prices: Some(file.path().to_owned()), ..ServeArgs::default() };
    std::fs::write(file.path(), "source = 'mine'\ndate = '2026-01-01'\nregions = {}\n").unwrap();
    assert_eq!(args().resolve().unwrap().prices.source, "mine");
    std::fs::write(file.path(), "source = 'mine'\n").unwrap();
    let error = format!("{:#}", args().resolve().unwrap_err());
    assert!(error.starts_with("--prices: ") && error.contains("date"), "{error}");
}
