import CLinux
import Glibc
import Linux
import OCI

/// Which addresses a new network gets, when its user leaves that to Apus.
enum SubnetChoice {
    /// 10.213.0.0/16 for the standard network, and then /24s of 10.214.0.0/15 for the others: Docker and Podman use others.
    static func candidates(forStandard isStandard: Bool) -> some Sequence<Subnet> {
        let (first, count, prefix): (UInt128, UInt128, Int) =
            isStandard ? (0x0ad5_0000, 16, 16) : (0x0ad6_0000, 512, 24)
        return (0..<count).lazy.map { index in
            Subnet(IPAddress(isIPv6: false, value: first + index << UInt128(32 - prefix)), prefix: prefix)!
        }
    }

    /// One that none of `taken` overlaps.
    static func free(isStandard: Bool, besides taken: [Subnet]) throws(Failure) -> Subnet {
        for candidate in candidates(forStandard: isStandard) where !taken.contains(where: candidate.overlaps) {
            return candidate
        }
        throw Failure(
            "network", "", "no subnet is left that no network and no route of this machine has",
            remedy: "give one with 'apus network create --subnet'")
    }

    /// A random one for private use.
    ///
    /// - Note: RFC 4193, "Unique Local IPv6 Unicast Addresses".
    static func randomIPv6() -> Subnet {
        var random: UInt64 = 0
        // Without randomness two networks could get the same, which is found when the second is made.
        _ = withUnsafeMutableBytes(of: &random) { getrandom($0.baseAddress, $0.count, 0) }
        let value = UInt128(0xfd) << 120 | UInt128(random & 0xff_ffff_ffff) << 80
        return Subnet(IPAddress(isIPv6: true, value: value), prefix: 64)!
    }

    /// Where this machine's routes lead.
    static func routed() throws(Failure) -> [Subnet] {
        try step("read", "this machine's routes") { () throws(SystemCallError) in
            var links = try LinkSocket()
            defer { links.close() }
            return try links.destinations().compactMap { destination in
                IPAddress(bytes: destination.address).flatMap { Subnet($0, prefix: destination.prefix) }
            }
        }
    }
}
