import Cgroups
import Containers
import Formats
import Networks
import OCI

/// Everything that is known of one container, in the shape of Docker's `inspect`.
struct ContainerInspection {
    let container: Container
    let state: ContainerState
    let config: ContainerConfig
    let spec: Spec
    let activity: ContainerActivity
    /// `nil` if it was not asked for: then there are no fields for it.
    let size: ContainerSize?

    init(_ container: Container, size: ContainerSize?) throws {
        self.container = container
        self.size = size
        state = try container.loadSettledState() ?? container.loadState()
        config = try container.loadConfig()
        spec = try container.loadSpec()
        activity = try ContainerActivity(state, isSupervised: container.isSupervised())
    }

    var value: Value {
        guard let size, case .object(let fields) = valueWithoutSize else { return valueWithoutSize }
        return .object(
            fields + [.init("SizeRw", .integer(of: size.layer)), .init("SizeRootFs", .integer(of: size.root))])
    }

    private var valueWithoutSize: Value {
        [
            "Id": .string(state.id),
            "Created": .string(state.created.rfc3339),
            "Path": .string(config.arguments.first ?? ""),
            "Args": .strings(Array(config.arguments.dropFirst())),
            "State": stateValue,
            "Image": .string(config.root.image?.id ?? state.image),
            "ImageName": .string(config.root.image?.name ?? ""),
            "ResolvConfPath": .string("\(container.livePath)/resolv.conf"),
            "HostnamePath": .string("\(container.livePath)/hostname"),
            "HostsPath": .string("\(container.livePath)/hosts"),
            "LogPath": .string(config.log.driver == .jsonFile ? container.logPath : ""),
            "Name": .string("/\(state.name)"),
            "RestartCount": .integer(of: state.restarts),
            "Driver": .string(config.storage.rawValue),
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": .string(spec.process?.selinuxLabel ?? ""),
            "AppArmorProfile": .string(spec.process?.apparmorProfile ?? ""),
            "ExecIDs": nil,
            "HostConfig": HostConfigInspection(config: config, spec: spec).value,
            "GraphDriver": graphDriver,
            "Mounts": .list(config.mounts.map(mount)),
            "Config": ConfigInspection(config: config, spec: spec).value,
            "NetworkSettings": networkSettings,
            "Apus": apus,
        ]
    }

    // MARK: State

    private var stateValue: Value {
        let running = state.status.running
        let ending = state.status.ending
        return [
            "Status": .string(activity.rawValue),
            "Running": .bool(running != nil || activity == .restarting),
            "Paused": .bool(activity == .paused),
            "Restarting": .bool(activity == .restarting),
            "OOMKilled": .bool(ending?.oomKilled ?? false),
            "Dead": false,
            "Pid": .integer(of: running?.pid ?? 0),
            "ExitCode": .integer(of: ending?.exitCode ?? 0),
            "Error": .string(ending?.error ?? ""),
            "StartedAt": Self.moment(running?.startedAt ?? ending?.startedAt),
            "FinishedAt": Self.moment(ending?.finishedAt),
            "Health": state.health.map(Self.health) ?? .null,
        ]
    }

    private static func moment(_ time: Timestamp?) -> Value { .string(time?.rfc3339 ?? "0001-01-01T00:00:00Z") }

    private static func health(_ health: ContainerState.Health) -> Value {
        [
            "Status": .string(health.status.rawValue),
            "FailingStreak": .integer(of: health.failingStreak),
            "Log": .list(
                health.log.map { probe in
                    [
                        "Start": moment(probe.start), "End": moment(probe.end),
                        "ExitCode": .integer(of: probe.exitCode), "Output": .string(probe.output),
                    ]
                }),
        ]
    }

    // MARK: Files and networks

    private var graphDriver: Value {
        var data: [String: String] = [:]
        if config.storage == .overlay, case .overlay(let path) = config.root {
            data = layers(over: path)
        } else if config.storage == .overlay, let image = config.root.image {
            data = layers(over: container.layerPaths(of: image).joined(separator: ":"))
        }
        return ["Data": .strings(data), "Name": .string(config.storage.rawValue)]
    }

    private func layers(over lower: String) -> [String: String] {
        [
            "LowerDir": lower, "UpperDir": "\(container.path)/layers/upper",
            "WorkDir": "\(container.path)/layers/work",
        ]
    }

    private func mount(_ mount: MountRequest) -> Value {
        let fields: [Value.Field] = [
            .init("Type", .string(mount.kind.rawValue)), .init("Source", .string(source(of: mount))),
            .init("Destination", .string(mount.destination)),
            .init("Mode", .string(mount.options.joined(separator: ","))), .init("RW", .bool(!mount.readOnly)),
            .init("Propagation", .string(mount.propagation ?? "rprivate")),
        ]
        let volume: [Value.Field] = [.init("Name", .string(mount.source)), .init("Driver", "local")]
        return .object(fields + (mount.kind == .volume ? volume : []))
    }

    /// For a volume the directory behind it.
    private func source(of mount: MountRequest) -> String {
        guard mount.kind == .volume else { return mount.source }
        return spec.mounts?.first { $0.destination == mount.destination }?.source ?? ""
    }

    private var networkSettings: Value {
        NetworkInspection(
            state: state.status.running == nil ? nil : state.network, config: config, store: container.networks
        ).value
    }

    // MARK: What only Apus has

    private var apus: Value {
        [
            "Limits": .list(
                state.limits.map { record in
                    [
                        "Limit": .string(record.limit), "Asked": .string(record.asked),
                        "Mechanism": .string(record.mechanism.rawValue), "Enforced": .bool(record.enforced),
                    ]
                }),
            "LimitsPolicy": .string(config.limits.rawValue),
            "Cgroup": state.cgroup.map { record in
                [
                    "Kind": .string(record.kind.rawValue), "Directories": .strings(record.directories),
                    "Unit": .optional(record.unit),
                ]
            } ?? .null,
            "Rootfs": .string(state.image),
            "Directory": .string(container.path),
            "Timeout": .optional(config.timeout),
            "EgressRefused": .optional(state.network?.refused),
            "Reproducible": .bool(config.job?.isReproducible ?? false),
            "Caches": .list(
                (config.job?.caches ?? []).map {
                    [
                        "Name": .string($0.name), "Destination": .string($0.destination),
                        "Mode": .string($0.mode.rawValue),
                    ]
                }),
            "Artifacts": .list(
                (config.job?.artifacts ?? []).map {
                    ["Pattern": .string($0.pattern), "Destination": .string($0.destination)]
                }),
            "Workspace": .string(config.job?.workspace?.source ?? ""),
            // That they exist, and where: what they hold is nowhere kept.
            "Secrets": .list(
                (config.job?.secrets ?? []).map { ["Id": .string($0.id), "Target": .string($0.target)] }),
            "SupervisorPid": .integer(of: state.status.running?.supervisor ?? 0),
        ]
    }
}

extension ContainerState.Status {
    var running: ContainerState.RunningProcess? {
        if case .running(let running) = self { return running }
        return nil
    }

    var ending: ContainerState.Ending? {
        if case .exited(let ending) = self { return ending }
        return nil
    }
}
