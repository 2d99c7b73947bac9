import Formats
import Networks

/// Ports as Docker shows them.
enum PortInspection {
    /// `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`: what was asked for.
    static func bindings(_ ports: [PublishedPort]) -> Value { map(ports) { $0?.text ?? "" } }

    /// The same, where every address of the machine has the port: what came of it.
    static func ports(_ ports: [PublishedPort], exposed: [String]) -> Value {
        guard case .map(var entries) = map(ports, { $0?.text ?? "0.0.0.0" }) else { return .null }
        for port in exposed where entries[port] == nil { entries[port] = .null }
        return .map(entries)
    }

    private static func map(_ ports: [PublishedPort], _ address: (IPAddress?) -> String) -> Value {
        var entries: [String: [Value]] = [:]
        for port in ports {
            let number = port.hostPort == 0 ? "" : "\(port.hostPort)"
            entries[port.inside.text, default: []].append(
                ["HostIp": .string(address(port.address)), "HostPort": .string(number)])
        }
        return .map(entries.mapValues { .list($0) })
    }

    /// `0.0.0.0:8080->80/tcp, 443/tcp`, as `ps` has it.
    static func list(_ ports: [PublishedPort], exposed: [String]) -> String {
        let published = ports.map { "\($0.address?.textBeforePort ?? "0.0.0.0"):\($0.hostPort)->\($0.inside.text)" }
        let others = exposed.filter { text in !ports.contains { $0.inside.text == text } }
        return (published + others).joined(separator: ", ")
    }
}
