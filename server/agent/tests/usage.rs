//! What a replica uses of its host is reported.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use std::sync::Arc;
use std::time::Duration;

use sandbox::{CgroupSupport, Controller};
use stage::{SERVER, Stage};

#[tokio::test]
async fn a_busy_replica_is_reported_with_its_processor_time_and_an_idle_one_with_none() {
    if !CgroupSupport::detect().has(Controller::CpuAccounting) {
        return;
    }
    let mut stage = Stage::new().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let busy = stage.spec(&slug, "worker", "while :; do :; done");
    let idle = stage.spec(&slug, "clock", "sleep 1000");
    stage.desire(&[&busy, &idle]);
    // It is measured every ten seconds, and a rate needs two measurements.
    let cpu = |report: &model::replica::HostReport, id| {
        report.replicas.iter().find(|status| status.id == id).and_then(|status| status.cpu)
    };
    let rate = |cpu: Option<model::replica::CpuUse>| cpu.and_then(|cpu| cpu.millicores);
    let mut reports = stage.agent().reports();
    let both_measured = reports.wait_for(|report| {
        rate(cpu(report, busy.id)).is_some_and(|rate| rate > 0) && rate(cpu(report, idle.id)).is_some()
    });
    let report = tokio::time::timeout(Duration::from_secs(120), both_measured).await;
    let report = Arc::clone(&report.expect("both are measured within two minutes").unwrap());
    let (busy_cpu, idle_cpu) = (cpu(&report, busy.id).unwrap(), cpu(&report, idle.id).unwrap());
    assert!(busy_cpu.used_ms > idle_cpu.used_ms, "{busy_cpu:?} {idle_cpu:?}");
    assert!(busy_cpu.millicores > idle_cpu.millicores, "{busy_cpu:?} {idle_cpu:?}");
    stage.leave(&[&busy, &idle]).await;
}

#[tokio::test]
async fn what_the_machine_has_in_use_is_reported_also_while_nothing_runs() {
    let stage = Stage::new().await;
    let mut reports = stage.agent().reports();
    // Memory at the first look, the processors ten seconds later.
    let known = reports.wait_for(|report| report.in_use.is_some_and(|now| now.cpu_millicores.is_some()));
    let report = tokio::time::timeout(Duration::from_secs(60), known).await;
    let report = Arc::clone(&report.expect("it is measured within a minute").unwrap());
    let in_use = report.in_use.unwrap();
    let (cpu, memory) = (in_use.cpu_millicores.unwrap(), in_use.memory_bytes.unwrap());
    assert!(cpu.used <= cpu.of && cpu.of > 0, "{cpu:?}");
    assert!(memory.used > 0 && memory.used < memory.of, "{memory:?}");
}
