import Containers
import Linux
import OCI
import Sandbox
import Testing

/// Of the container whose spec is made.
let id = String(repeating: "0123456789abcdef", count: 4)

/// A machine with one block device and a user with subordinate IDs.
func facts(
    root: Bool = true, uid: UInt32 = 1000, ranges: HostFacts.SubordinateRanges = .init(), rootHas: [String] = []
) -> HostFacts {
    HostFacts(
        uid: root ? 0 : uid, gid: root ? 0 : uid, isRoot: root, id: id, containerDirectory: "/live/containers/id",
        dataDirectory: "/data", hostName: "machine", limitsSwap: true, exists: { rootHas.contains($0) },
        subordinateIDs: { _ throws(Failure) in ranges },
        devices: { path throws(Failure) in
            switch path {
            case "/dev/sda": return [HostDevice(path: path, type: "b", major: 8, minor: 0)]
            case "/dev/fuse": return [HostDevice(path: path, type: "c", major: 10, minor: 229)]
            case "/dev/snd", "/dev":
                return [
                    HostDevice(path: "\(path)/null", type: "c", major: 1, minor: 3),
                    HostDevice(path: "\(path)/seq", type: "c", major: 116, minor: 1),
                ]
            default: throw Failure("", "'\(path)'", "not there")
            }
        },
        namespace: { container, type throws(Failure) in
            if container != "web" { throw Failure("join", container, "no such container") }
            return "/proc/7/ns/\(type.rawValue)"
        })
}

/// The spec of `sh` under a throw-away layer, but for a change.
func spec(
    _ facts: HostFacts = facts(), _ change: (inout ContainerConfig) throws -> Void = { _ in }
) throws -> Spec {
    var config = ContainerConfig(root: .overlay(path: "/r"))
    config.command = ["sh"]
    try change(&config)
    return try makeSpec(config, facts: facts)
}

/// Those of an ordinary user.
let subordinate = HostFacts.SubordinateRanges(
    uids: [IDRange(first: 100_000, count: 65536)], gids: [IDRange(first: 200_000, count: 65536)])

extension Spec {
    func mount(_ destination: String) -> Mount? { mounts?.last { $0.destination == destination } }
    func namespace(_ type: NamespaceType) -> Namespace? { linux?.namespaces?.first { $0.type == type } }
}
