//! How often somebody may register.

use super::*;

/// How long the throttle says to wait; zero when it permits, which counts.
fn registered(throttle: &Throttle, address: Option<IpAddr>) -> Duration {
    match throttle.permit_registration(address) {
        Ok(_) => Duration::ZERO,
        Err(Error::Throttled { retry_after }) => retry_after,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_address_registers_so_often_in_a_window() {
    let (throttle, clock) = throttle(ThrottleConfig::default());
    for _ in 0..100 {
        clock.advance(seconds(1));
        throttle.permit_registration(address(1)).unwrap().unused();
        assert_eq!(registered(&throttle, address(1)), seconds(0));
    }
    assert_eq!(registered(&throttle, address(1)), seconds(501));
    assert_eq!(registered(&throttle, address(2)), seconds(0));
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0), "and logs in");
    clock.advance(seconds(501));
    assert_eq!(registered(&throttle, address(1)), seconds(0));
}

#[test]
fn the_networks_of_an_ipv6_site_register_as_one() {
    let (throttle, _) = throttle(ThrottleConfig::default());
    let at = |network: u128| Some(IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | network << 64)));
    let permitted = (0..1000).filter(|network| registered(&throttle, at(*network)).is_zero());
    assert_eq!(permitted.count(), 100);
    assert_eq!(registered(&throttle, at(1 << 16)), seconds(0), "the next site");
}

#[test]
fn whoever_is_not_counted_registers_as_often_as_they_like() {
    for (enabled, from) in [(false, address(1)), (true, None)] {
        let (throttle, _) = throttle(ThrottleConfig { enabled, ..config() });
        assert!((0..1000).all(|_| registered(&throttle, from).is_zero()));
    }
}
