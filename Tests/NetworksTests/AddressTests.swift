import Testing

@testable import Networks

@Suite struct AddressTests {
    @Test(arguments: [
        ("10.1.2.3/16", "10.1.0.0/16", "10.1.255.255"), ("fd00:1::5/64", "fd00:1::/64", "fd00:1::ffff:ffff:ffff:ffff"),
        ("1.2.3.4/32", "1.2.3.4/32", "1.2.3.4"), ("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"),
    ])
    func `a subnet has its lowest and its highest address`(text: String, normal: String, last: String) throws {
        let subnet = try #require(Subnet(text))
        #expect(subnet.text == normal && subnet.last.text == last)
    }

    @Test(arguments: [
        "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/-1", "10.0.0.0/+8", "fd00::/129", "/8", "10.0.0.0/",
        "10.0.0.0/8/8",
    ])
    func `what is no subnet is none`(text: String) { #expect(Subnet(text) == nil) }

    @Test func `subnets overlap when one contains the other`() throws {
        let wide = try #require(Subnet("10.0.0.0/8"))
        let narrow = try #require(Subnet("10.9.0.0/24"))
        let other = try #require(Subnet("11.0.0.0/8"))
        let sixth = try #require(Subnet("::/0"))
        #expect(wide.overlaps(narrow) && narrow.overlaps(wide))
        #expect(!wide.overlaps(other) && !wide.overlaps(sixth))
    }

    @Test(arguments: [
        ("80", "nil 0 80 tcp"), ("8080:80/udp", "nil 8080 80 udp"), ("127.0.0.1:8080:80", "127.0.0.1 8080 80 tcp"),
        ("127.0.0.1::80", "127.0.0.1 0 80 tcp"), ("[::1]:8080:80", "::1 8080 80 tcp"), ("0.0.0.0:1:2", "nil 1 2 tcp"),
        ("8000-8001:90-91", "nil 8000 90 tcp, nil 8001 91 tcp"),
    ])
    func `ports are read as Docker's users write them`(text: String, expected: String) throws {
        let ports = try PortSyntax.publish(text).map {
            "\($0.address?.text ?? "nil") \($0.hostPort) \($0.containerPort) \($0.kind.rawValue)"
        }
        #expect(ports.joined(separator: ", ") == expected)
    }

    @Test(arguments: [
        "", ":", "x", "80:", "1:2:3:4", "80/icmp", "1-2:3", "65536", "0", "-1:80", "[::1:80:80", "[::1]80",
        "256.1.1.1:80:80",
    ])
    func `what is no port is refused`(text: String) {
        #expect(throws: (any Error).self) { try PortSyntax.publish(text) }
    }
}

@Suite struct ResolverTests {
    @Test func `servers that only the machine reaches are replaced`() {
        let stub = "nameserver 127.0.0.53\noptions edns0\nsearch lan\n"
        #expect(
            Resolver.configuration(stub, resolved: "nameserver 10.0.0.1\nnameserver 127.0.0.1\nsearch lan\n")
                == "nameserver 10.0.0.1\nsearch lan\n")
        #expect(
            Resolver.configuration(stub, resolved: nil, substitute: Pasta.resolver)
                == "options edns0\nsearch lan\nnameserver 169.254.0.1\n")
        #expect(Resolver.configuration("nameserver ::1\nnameserver 9.9.9.9\n", resolved: nil) == "nameserver 9.9.9.9\n")
        #expect(Resolver.configuration("", resolved: nil) == "")
    }
}

@Suite struct MemberNamesTests {
    @Test func `a network's lines replace those that stood there, and nothing else`() {
        let first = MemberNames.replace(in: "127.0.0.1\tlocalhost\n", "web", with: ["10.0.0.2\ta"])
        #expect(first == "127.0.0.1\tlocalhost\n# network web\n10.0.0.2\ta\n# end of network web\n")
        let second = MemberNames.replace(in: first + "1.1.1.1 own\n\n\n", "web", with: ["10.0.0.3\tb"])
        #expect(second == "127.0.0.1\tlocalhost\n1.1.1.1 own\n# network web\n10.0.0.3\tb\n# end of network web\n")
        #expect(MemberNames.replace(in: second, "web", with: []) == "127.0.0.1\tlocalhost\n1.1.1.1 own\n")
    }
}

@Suite struct LeaseTests {
    private func network(_ subnet: String) -> Network {
        var network = Network()
        network.name = "web"
        let range = Subnet(subnet)!
        network.ipv4 = Network.Range(subnet: range, gateway: range.address.advanced(by: 1))
        return network
    }

    @Test func `a small network gives each address once, and then no more`() throws {
        let network = network("10.0.0.0/29")
        var leases = Leases()
        var given: Set<String> = []
        for number in 0..<5 {
            given.insert(
                try leases.add(to: network, NetworkAttachment(network: "web")) { $0.container = "\(number)" }.ipv4.text)
        }
        #expect(given == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"])
        #expect(throws: (any Error).self) { try leases.add(to: network, NetworkAttachment(network: "web")) { _ in } }
        #expect(leases.remove(container: "2")?.ipv4.text == "10.0.0.4")
        #expect(try leases.add(to: network, NetworkAttachment(network: "web")) { _ in }.ipv4.text == "10.0.0.4")
    }

    @Test(arguments: ["10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.1.2"])
    func `an address that containers cannot have is refused`(address: String) throws {
        var leases = Leases()
        var asked = NetworkAttachment(network: "web")
        asked.ipv4 = IPAddress(address)
        #expect(throws: (any Error).self) { try leases.add(to: network("10.0.0.0/29"), asked) { _ in } }
    }
}
