//! The chart, rendered by Helm's own code and checked by the schemas of the oldest and the newest Kubernetes that it is for.

use serde_json::{Value, json};

use super::{path, read, script};
use crate::support::Home;

/// What the chart makes of values: see chart.py.
fn rendered(values: &Value) -> Value {
    script("chart.py", &[path("deploy/helm/herald").to_str().unwrap(), &values.to_string()])
}

/// As above, and it must be without fault.
fn sound(values: &Value) -> Value {
    let rendered = rendered(values);
    for (key, empty) in [("lint", json!([])), ("error", Value::Null), ("invalid", json!([]))] {
        assert_eq!(rendered[key], empty, "{values}");
    }
    rendered
}

fn of_kind<'a>(rendered: &'a Value, kind: &str) -> Vec<&'a Value> {
    rendered["objects"].as_array().unwrap().iter().filter(|object| object["kind"] == kind).collect()
}

/// Everything that can be turned on.
fn everything() -> Value {
    json!({
        "secrets": { "token": "canary-token", "metricsToken": "canary-metrics", "key": "A".repeat(43) + "=" },
        "config": { "activations": { "gold": { "segment": "s", "target": "t" } } },
        "env": [{ "name": "REGION", "value": "eu" }],
        "envFrom": [{ "secretRef": { "name": "targets" } }],
        "volumes": [{ "name": "lake", "persistentVolumeClaim": { "claimName": "lake" } }],
        "volumeMounts": [{ "name": "lake", "mountPath": "/lake" }],
        "persistence": { "size": "20Gi", "storageClass": "fast", "annotations": { "a": "b" } },
        "serviceAccount": { "annotations": { "role": "r" } },
        "imagePullSecrets": [{ "name": "pull" }], "podLabels": { "team": "crm" }, "podAnnotations": { "c": "d" },
        "nodeSelector": { "disk": "ssd" }, "tolerations": [{ "operator": "Exists" }], "priorityClassName": "high",
        "affinity": { "nodeAffinity": {} }, "restartOnConfigChange": true,
        "podDisruptionBudget": { "enabled": true },
        "networkPolicy": { "enabled": true, "egress": [{ "ports": [{ "port": 443 }] }], "from": [{ "namespaceSelector": {} }] },
        "serviceMonitor": { "enabled": true, "labels": { "release": "prom" } },
        "prometheusRule": { "enabled": true }, "dashboard": { "enabled": true },
    })
}

#[test]
fn values_small_and_large_render_to_what_kubernetes_takes() {
    let kinds = |rendered: &Value| -> Vec<String> {
        let objects = rendered["objects"].as_array().unwrap();
        let mut kinds: Vec<String> = objects.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    let small = sound(&json!({ "secrets": { "token": "t" } }));
    assert_eq!(kinds(&small), ["ConfigMap", "Secret", "Service", "ServiceAccount", "StatefulSet"]);
    assert!(small["notes"].as_str().unwrap().contains("holds no activations yet"));
    let own = sound(&json!({
        "secrets": { "existing": "mine" }, "existingConfigSecret": "config", "serviceAccount": { "create": false },
        "persistence": { "existingClaim": "claim" }, "serviceMonitor": { "enabled": true },
    }));
    assert_eq!(kinds(&own), ["Service", "ServiceMonitor", "StatefulSet"]);
    assert!(of_kind(&own, "StatefulSet")[0]["spec"].get("volumeClaimTemplates").is_none());
    let large = sound(&everything());
    assert_eq!(large["objects"].as_array().unwrap().len(), 10);
    let rules = of_kind(&large, "PrometheusRule")[0]["spec"].clone();
    assert_eq!(rules, super::yaml("deploy/prometheus/rules.yaml"), "the rules are those that are tested");
    let dashboards = of_kind(&large, "ConfigMap");
    let dashboard = dashboards.iter().find_map(|map| map["data"]["herald.json"].as_str()).unwrap();
    assert_eq!(dashboard.trim(), read("deploy/grafana/herald.json").trim());
}

#[test]
fn wrong_values_are_refused_with_a_reason() {
    for (values, reason) in [
        (json!({}), "secrets.token"),
        (json!({ "secrets": { "token": "t" }, "replicas": 3 }), "replicas"),
        (json!({ "secrets": { "token": "t" }, "image": { "tag": "latest" } }), "/image/tag"),
        (json!({ "secrets": { "token": "t", "key": "short" } }), "/secrets/key"),
        (json!({ "secrets": { "token": "t" }, "config": { "segmentz": {} } }), "segmentz"),
        (json!({ "secrets": { "token": "t" }, "terminationGracePeriodSeconds": 5 }), "terminationGracePeriodSeconds"),
        (json!({ "secrets": { "token": "t" }, "serviceMonitor": { "enabled": true } }), "secrets.metricsToken"),
    ] {
        let error = rendered(&values)["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(reason), "{values}: {error}");
    }
}

#[test]
fn one_pod_without_rights_on_a_root_that_nobody_writes_to() {
    let rendered = sound(&everything());
    let spec = &of_kind(&rendered, "StatefulSet")[0]["spec"];
    assert_eq!(spec["replicas"], 1, "the state is one process's");
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
        (&json!(true), &json!(10001))
    );
    assert!(read("deploy/Dockerfile").contains("USER 10001:10001"), "as in the image");
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(
        container["securityContext"],
        json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } })
    );
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().all(|mount| mount.get("subPath").is_none()), "a changed config would not reach it");
    let secret = of_kind(&rendered, "Secret")[0];
    for object in rendered["objects"].as_array().unwrap() {
        assert!(object == secret || !object.to_string().contains("canary"), "a secret stands in {}", object["kind"]);
    }
    assert!(!rendered["notes"].as_str().unwrap().contains("canary"));
}

#[test]
fn a_service_that_speaks_tls_is_asked_so() {
    let tls = json!({ "cert": "/tls/tls.crt", "key": "/tls/tls.key" });
    let own = json!({ "secrets": { "token": "t" }, "existingConfigMap": "mine", "service": { "tls": true } });
    let given = json!({
        "secrets": { "token": "t", "metricsToken": "m" }, "config": { "service": { "http": { "tls": tls } } },
        "serviceMonitor": { "enabled": true, "tlsConfig": { "serverName": "herald" } },
    });
    for (values, scheme) in [(&json!({ "secrets": { "token": "t" } }), "HTTP"), (&own, "HTTPS"), (&given, "HTTPS")] {
        let rendered = sound(values);
        let container = &of_kind(&rendered, "StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0];
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert_eq!(container[probe]["httpGet"]["scheme"], scheme, "{probe}");
        }
    }
    let rendered = sound(&given);
    let endpoint = &of_kind(&rendered, "ServiceMonitor")[0]["spec"]["endpoints"][0];
    assert_eq!((&endpoint["scheme"], &endpoint["tlsConfig"]["serverName"]), (&json!("https"), &json!("herald")));
}

#[test]
fn security_contexts_and_runbooks_are_values() {
    let rendered = sound(&json!({
        "secrets": { "token": "t" }, "podSecurityContext": { "runAsUser": null, "runAsGroup": null, "fsGroup": null },
        "prometheusRule": { "enabled": true, "runbooks": "https://wiki.example.com/herald" },
    }));
    let context = &of_kind(&rendered, "StatefulSet")[0]["spec"]["template"]["spec"]["securityContext"];
    assert_eq!((context.get("runAsUser"), &context["runAsNonRoot"]), (None, &json!(true)));
    let rules = of_kind(&rendered, "PrometheusRule")[0].to_string();
    assert!(
        rules.contains("https://wiki.example.com/herald#heralddown") && !rules.contains("docs/operations.md"),
        "{rules}"
    );
}

#[test]
fn what_restarts_the_pod_is_a_changed_secret_and_a_changed_config_only_where_asked() {
    let annotations = |values: Value| {
        sound(&values)["objects"].as_array().unwrap().iter().find(|object| object["kind"] == "StatefulSet").unwrap()["spec"]
            ["template"]["metadata"]["annotations"]
            .clone()
    };
    let values = |token: &str, restart: bool, every: &str| {
        json!({ "secrets": { "token": token }, "restartOnConfigChange": restart,
                "config": { "activations": { "gold": { "refresh": { "every": every } } } } })
    };
    assert_eq!(annotations(values("t", false, "1h")), annotations(values("t", false, "2h")));
    assert_ne!(annotations(values("t", false, "1h")), annotations(values("u", false, "1h")));
    assert_ne!(annotations(values("t", true, "1h")), annotations(values("t", true, "2h")));
}

#[test]
fn the_config_that_the_chart_writes_is_one_that_the_program_takes() {
    let dir = tempfile::tempdir().unwrap();
    let lake = path("config/lake");
    let mut values = json!({ "secrets": { "token": "t" } });
    let mut sample = super::yaml("config/herald.yaml");
    let tables = sample["sources"]["shop"]["tables"].as_object_mut().unwrap();
    for table in tables.values_mut() {
        let file = table["path"].as_str().unwrap().trim_start_matches("lake/").to_owned();
        table["path"] = lake.join(file).to_str().unwrap().into();
    }
    sample["targets"]["disk"]["path"] = dir.path().join("out").to_str().unwrap().into();
    sample.as_object_mut().unwrap().remove("service");
    values["config"] = sample;
    let rendered = sound(&values);
    let config = of_kind(&rendered, "ConfigMap")[0]["data"]["herald.yaml"].as_str().unwrap();
    let home = Home::new(&config.replace("/var/lib/herald", dir.path().to_str().unwrap()));
    let check = |token: &str| {
        let mut command = home.command(&["check"]);
        command.env("HERALD_TOKEN", token).env("HERALD_KEY", "").env("HERALD_METRICS_TOKEN", "").output().unwrap()
    };
    let checked = check("secret");
    assert!(checked.status.success(), "{}", super::said(&checked));
    assert_eq!(check("").status.code(), Some(2), "without a token nothing listens on all addresses");
}
