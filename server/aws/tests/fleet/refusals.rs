//! What EC2 says instead of an instance, and what the fleet makes of it.

use cloud::Cloud as _;
use model::instances::Refusal;
use serde_json::json;

use crate::hosts::order;
use crate::region::Simcloud;

#[tokio::test]
async fn each_refusal_says_what_it_is_about_and_nothing_is_asked_twice() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    ec2.site().await.unwrap();
    for (code, status, refusal) in [
        ("RequestLimitExceeded", 503, Refusal::Throttled),
        ("InsufficientFreeAddressesInSubnet", 400, Refusal::NoAddress),
        ("Unsupported", 400, Refusal::NotOffered),
        ("VcpuLimitExceeded", 400, Refusal::Limit),
        ("UnauthorizedOperation", 403, Refusal::Forbidden),
        ("RequestExpired", 400, Refusal::Expired),
        ("InternalError", 500, Refusal::Unanswered),
    ] {
        let before = sky.calls("ec2 RunInstances");
        let fault = json!({ "service": "ec2", "action": "RunInstances", "code": code, "status": status });
        sky.tell("fault", &fault);
        let refused = ec2.launch(&order("us-east-1a")).await.unwrap_err();
        assert_eq!(refused.refusal, refusal, "{code}: {refused}");
        assert!(refused.says.contains(code), "{refused}");
        assert_eq!(sky.calls("ec2 RunInstances"), before + 1, "{code}");
        sky.tell("clear", &json!({}));
    }
    assert_eq!(ec2.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_pool_without_capacity_refuses_and_another_zone_gives() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    sky.tell("capacity", &json!({ "us-east-1a/t3.medium": 0 }));
    let refused = ec2.launch(&order("us-east-1a")).await.unwrap_err();
    assert_eq!((refused.refusal, sky.calls("ec2 RunInstances")), (Refusal::NoCapacity, 1));
    ec2.launch(&order("us-east-1b")).await.unwrap();
}

#[tokio::test]
async fn the_same_order_in_other_words_is_refused_as_that() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let ec2 = sky.ec2().await;
    let mut order = order("us-east-1a");
    ec2.launch(&order).await.unwrap();
    order.user_data.push_str("# other words\n");
    assert_eq!(ec2.launch(&order).await.unwrap_err().refusal, Refusal::Mismatch);
    order.image = "ami-00000000".to_owned();
    let refused = ec2.launch(&order).await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::Invalid);
    assert!(
        refused.says.contains("no version of the launch template has the image ami-00000000"),
        "{refused}"
    );
    assert_eq!(ec2.list().await.unwrap().len(), 1);
}
