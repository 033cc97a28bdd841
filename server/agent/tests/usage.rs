//! What a replica uses of its host is reported.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

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
    let report = stage
        .report("both are measured", |report| {
            rate(cpu(report, busy.id)).is_some_and(|rate| rate > 0) && rate(cpu(report, idle.id)).is_some()
        })
        .await;
    let (busy_cpu, idle_cpu) = (cpu(&report, busy.id).unwrap(), cpu(&report, idle.id).unwrap());
    assert!(busy_cpu.used_ms > idle_cpu.used_ms, "{busy_cpu:?} {idle_cpu:?}");
    assert!(busy_cpu.millicores > idle_cpu.millicores, "{busy_cpu:?} {idle_cpu:?}");
    stage.leave(&[&busy, &idle]).await;
}
