//! TLS to the server, whose certificate is its own and nobody else's.
//!
//! The surprise: whether a connection is encrypted is asked of the server, which lists its connections.

use doorward_store::{PostgresOptions, PostgresUrl, open_postgres};

use super::engine::{Database, server};
use super::opening::assert_refused;
use super::server::PASSWORD;

async fn is_encrypted(database: &Database, options: &str) -> bool {
    let name = format!("test-{}", options.len());
    let url = server().tcp(PASSWORD, &database.0, &format!("?application_name={name}{options}"));
    let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    assert!(store.ready().await.is_ok());
    let counted = database.sql(&format!(
        "SELECT count(*) FILTER (WHERE ssl) > 0, count(*) FILTER (WHERE NOT ssl) > 0 \
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '{name}'"
    ));
    match counted.as_str() {
        "t|f" => true,
        "f|t" => false,
        other => panic!("{options}: {other}"),
    }
}

fn trusting(database: &Database, options: &str) -> PostgresUrl {
    let certificate = server().folder.join("server.crt");
    server().tcp(
        PASSWORD,
        &database.0,
        &format!("?sslrootcert={}&{options}", certificate.display()),
    )
}

#[tokio::test]
async fn whoever_asks_for_nothing_is_encrypted_if_the_server_can() {
    let database = Database::new();
    assert!(is_encrypted(&database, "").await);
    assert!(is_encrypted(&database, "&sslmode=prefer").await);
    assert!(!is_encrypted(&database, "&sslmode=disable").await);
}

#[tokio::test]
async fn whoever_requires_tls_has_to_know_the_server() {
    let database = Database::new();
    let url = server().tcp(PASSWORD, &database.0, "?sslmode=require");
    assert_refused(&url, "certificate", "sslrootcert=FILE").await;
    for mode in ["require", "verify-full"] {
        let url = trusting(&database, &format!("sslmode={mode}"));
        let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
        assert!(store.ready().await.is_ok());
    }
}

#[tokio::test]
async fn a_server_of_another_name_is_not_the_one_meant() {
    let database = Database::new();
    let certificate = server().folder.join("server.crt");
    let url: PostgresUrl = format!(
        "postgres://doorward:{PASSWORD}@127.0.0.2:{}/{}?hostaddr=127.0.0.1&sslmode=require&sslrootcert={}",
        server().port,
        database.0,
        certificate.display()
    )
    .parse()
    .unwrap();
    assert_refused(&url, "certificate", "the host as the certificate does").await;
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_refused() {
    let database = Database::new();
    for (file, what) in [
        ("/nowhere/ca.pem", "cannot be read"),
        ("/dev/null", "no certificate in"),
    ] {
        let options = format!("?sslmode=require&sslrootcert={file}");
        let url = server().tcp(PASSWORD, &database.0, &options);
        assert_refused(&url, what, "in PEM").await;
    }
}
