# The cluster of tests/example, written in Nix: it becomes the same bundles.
{ lib, ... }:
let
  hosts = {
    db1 = "192.0.2.11";
    db2 = "192.0.2.12";
    db3 = "192.0.2.13";
  };
  everywhere = builtins.attrNames hosts;
  lighthouses = [
    "db1"
    "db3"
  ];
in
{
  version = 1;

  networks.internal = {
    cidr = "10.2.57.0/24";
    dns_domain = "example.internal";
    inherit lighthouses;
    underlay_port_range = [
      12500
      13000
    ];
  };

  hosts = lib.mkMerge [
    (builtins.mapAttrs (_: address: { inherit address; }) hosts)
    (lib.genAttrs lighthouses (_: {
      endpoints.internal.groups = [ "admin" ];
    }))
  ];

  # All of one file but the application's.
  secrets =
    lib.genAttrs
      [
        "pg-superuser"
        "pg-replication"
        "pg-rewind"
        "pg-barman"
      ]
      (name: {
        source = "/run/secrets/postgres.json";
        json_key = builtins.replaceStrings [ "-" ] [ "_" ] name;
      })
    // {
      pg-app.source = "/run/secrets/pg_app";
    };

  etcd_clusters.main.members = everywhere;

  patroni_clusters.app = {
    etcd_cluster = "main";
    members = [
      "db1"
      "db2"
    ];
    read_replicas = [ "db3" ];
    backup_replicas = [ "db3" ];
    proxies = everywhere;
    client_groups = [ "app-client" ];
    superuser_secret = "pg-superuser";
    replication_secret = "pg-replication";
    rewind_secret = "pg-rewind";
    barman_secret = "pg-barman";
    roles.app.secret = "pg-app";
    databases.app.owner = "app";
    synchronous_mode = "on";
    postgres_config = {
      data_checksums = true;
      parameters.max_connections = 200;
    };
  };

  barman_servers.barman = {
    host = "db3";
    sources = [
      {
        cluster = "app";
        frequency = "30 3 * * *";
        minimum_redundancy = 1;
        recovery_window = 30;
      }
    ];
  };

  pods.web = {
    host = "db1";
    groups = [ "app-client" ];
    uses = [ "app" ];
    publish = [
      {
        host_port = 8080;
        port = 8080;
      }
    ];
    containers.main = {
      image = "registry.example.com/web:1.4.2";
      environment = {
        PGUSER = "app";
        PGDATABASE = "app";
      };
      secrets = [
        {
          secret = "pg-app";
          env = "PGPASSWORD";
        }
      ];
    };
  };
}
