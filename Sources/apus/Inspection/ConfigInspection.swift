import Containers
import Formats
import Linux
import OCI

/// `Config` of `inspect`: what does not depend on the machine.
struct ConfigInspection {
    let config: ContainerConfig
    let spec: Spec

    var value: Value {
        [
            "Hostname": .string(spec.hostname ?? ""),
            "Domainname": .string(config.domainname ?? ""),
            "User": .string(config.user),
            "AttachStdin": .bool(config.interactive),
            "AttachStdout": true,
            "AttachStderr": true,
            "Tty": .bool(config.tty),
            "OpenStdin": .bool(config.interactive),
            "StdinOnce": .bool(config.interactive),
            "Env": .strings(spec.process?.env ?? []),
            "Cmd": .strings(config.command),
            "Healthcheck": healthCheck,
            "Image": .string(config.root.description),
            "Volumes": Self.set(config.root.image?.volumes ?? []),
            "ExposedPorts": Self.set(config.root.image?.exposedPorts ?? []),
            "WorkingDir": .string(spec.process?.cwd ?? "/"),
            "Entrypoint": config.entrypoint.isEmpty ? .null : .strings(config.entrypoint),
            "Labels": .strings(config.labels),
            "StopSignal": .string(Signal(rawValue: config.stopSignal ?? 15).description),
            "StopTimeout": .integer(of: config.stopTimeout ?? 10),
        ]
    }

    /// As Go writes sets: `{"80/tcp": {}}`.
    private static func set(_ members: [String]) -> Value {
        members.isEmpty ? .null : .map(Dictionary(members.map { ($0, Value.object([])) }) { one, _ in one })
    }

    private var healthCheck: Value {
        guard let check = config.healthCheck else { return .null }
        return [
            "Test": .strings(check.arguments.map { ["CMD"] + $0 } ?? ["CMD-SHELL", check.command]),
            "Interval": .integer(of: check.interval ?? 0),
            "Timeout": .integer(of: check.timeout ?? 0),
            "StartPeriod": .integer(of: check.startPeriod ?? 0),
            "StartInterval": .integer(of: check.startInterval ?? 0),
            "Retries": .integer(of: check.retries ?? 0),
        ]
    }
}
