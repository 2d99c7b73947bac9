import ArgumentParser
import Containers
import Formats
import Glibc
import Linux
import SystemPackage

/// `apus info`: this machine and this user's containers.
struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what is known of this machine and its containers")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.Containers}}'") var format: String?

    func run() throws {
        let store = try openStore()
        let value = try Self.value(store)
        switch format {
        case nil: Output.write(Self.text(value))
        case "json": Output.line(value.json())
        case let format?: Output.line(try Template(format).render(value))
        }
    }

    private static func value(_ store: ContainerStore) throws -> Value {
        let states = try store.states()
        for failure in states.damaged { Report.line("warning: \(failure)") }
        let activities = try states.found.map { state in
            try ContainerActivity(state, isSupervised: store.open(id: state.id).isSupervised())
        }
        let up = activities.count { $0 == .running || $0 == .restarting }
        let paused = activities.count { $0 == .paused }
        let machine = Machine()
        return [
            "Containers": .integer(of: activities.count), "ContainersRunning": .integer(of: up),
            "ContainersPaused": .integer(of: paused),
            "ContainersStopped": .integer(of: activities.count - up - paused),
            "ServerVersion": .string(Program.version), "Driver": "overlay", "LoggingDriver": "json-file",
            "CgroupVersion": .string(cgroupVersion), "Rootless": .bool(geteuid() != 0),
            "KernelVersion": .string(machine.kernel), "OperatingSystem": .string(operatingSystem),
            "OSType": "linux", "Architecture": .string(machine.architecture),
            "NCPU": .integer(of: machine.processors), "MemTotal": .integer(of: machine.memory),
            "Name": .string(machine.hostName), "DockerRootDir": .string(store.path),
        ]
    }

    private static var cgroupVersion: String {
        let here = FileDescriptor.workingDirectory
        if here.has("/sys/fs/cgroup/cgroup.controllers") { return "2" }
        return here.has("/sys/fs/cgroup/memory") || here.has("/sys/fs/cgroup/pids") ? "1" : "none"
    }

    private static var operatingSystem: String {
        // A machine that does not say its name has none to show.
        let bytes = FileDescriptor.contentsIfReadable(of: "/etc/os-release", limit: 64 << 10)
        for line in String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("PRETTY_NAME=") {
            return line.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" }
        }
        return "Linux"
    }

    private static let lines = [
        ("Containers", "Containers"), (" Running", "ContainersRunning"), (" Paused", "ContainersPaused"),
        (" Stopped", "ContainersStopped"), ("Version", "ServerVersion"), ("Storage Driver", "Driver"),
        ("Logging Driver", "LoggingDriver"), ("Cgroup Version", "CgroupVersion"), ("Rootless", "Rootless"),
        ("Kernel Version", "KernelVersion"), ("Operating System", "OperatingSystem"), ("OSType", "OSType"),
        ("Architecture", "Architecture"), ("CPUs", "NCPU"), ("Total Memory", "MemTotal"), ("Name", "Name"),
        ("Data Directory", "DockerRootDir"),
    ]

    private static func text(_ value: Value) -> String {
        lines.map { title, field in
            guard field == "MemTotal", case .integer(let bytes)? = value[field] else {
                return "\(title): \(value[field]?.text ?? "")\n"
            }
            let hundredths = (bytes * 100) >> 30
            return "\(title): \(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)GiB\n"
        }.joined()
    }
}
