//! Addresses and networks as the user wrote them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::resolver::{Resolver, shown};
use crate::pointer::At;
use crate::report::{Code, Diagnostic};

/// Reads a CIDR whose host bits are zero.
pub(super) fn cidr(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<Ipv4Net> {
    match text.parse::<Ipv4Net>() {
        Ok(cidr) if cidr.trunc() == cidr => Some(cidr),
        Ok(cidr) => {
            let message = format!("`{text}` has bits set behind its prefix");
            let help = format!("did you mean `{}`?", cidr.trunc());
            resolver
                .report
                .push(Diagnostic::new(Code::BadCidr, at, message).help(help));
            None
        }
        Err(_) => {
            let diagnostic = Diagnostic::new(
                Code::BadCidr,
                at,
                format!("`{}` is no IPv4 network", shown(text)),
            );
            resolver
                .report
                .push(diagnostic.allowed_text("`ADDRESS/LENGTH`, such as `10.2.57.0/24`"));
            None
        }
    }
}

/// Reads an IPv4 address.
pub(super) fn ipv4(resolver: &mut Resolver<'_>, at: At<'_>, text: &str) -> Option<Ipv4Addr> {
    let address = text.parse().ok();
    if address.is_none() {
        let diagnostic = Diagnostic::new(
            Code::BadAddress,
            at,
            format!("`{}` is no IPv4 address", shown(text)),
        );
        resolver
            .report
            .push(diagnostic.allowed_text("an IPv4 address, such as `192.0.2.11`"));
    }
    address
}
