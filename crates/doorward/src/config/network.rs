//! What can stand in a list of networks.
//!
//! The surprise: a network is written as its first address. `10.0.0.1/8` is all of `10.0.0.0/8`, and whoever writes it may
//! have meant one machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether it is an address, or a network without bits after its prefix. Says what would be right.
pub(super) fn check(text: &str) -> Result<(), String> {
    doorward_http::check_trusted_proxy(text).map_err(str::to_owned)?;
    let Some((address, bits)) = read(text) else {
        return Ok(());
    };
    let network = first(address, bits);
    if network == address {
        return Ok(());
    }
    Err(format!(
        "write the network `{network}/{bits}`, or the address `{address}` alone"
    ))
}

/// Whether it is a network of every address there is.
pub(crate) fn is_everybody(text: &str) -> bool {
    read(text).is_some_and(|(_, bits)| bits == 0)
}

fn read(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    Some((address.parse().ok()?, bits.parse().ok()?))
}

/// The first address of a network.
fn first(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(u32::BITS.saturating_sub(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(u128::BITS.saturating_sub(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_its_first_address() {
        for good in [
            "10.0.0.1",
            "::1",
            "10.0.0.0/8",
            "10.0.0.1/32",
            "0.0.0.0/0",
            "::/0",
            "::1/128",
            "192.168.1.128/25",
            "2001:db8::/32",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (wrong, network) in [
            ("10.0.0.1/8", "`10.0.0.0/8`"),
            ("10.0.0.1/0", "`0.0.0.0/0`"),
            ("192.168.1.129/25", "`192.168.1.128/25`"),
            ("::1/0", "`::/0`"),
            ("2001:db8::1/127", "`2001:db8::/127`"),
        ] {
            let hint = check(wrong).unwrap_err();
            assert!(hint.contains(network), "{wrong}: {hint}");
        }
        assert!(check("10.0.0.0/33").unwrap_err().contains("write an address"));
    }
}
