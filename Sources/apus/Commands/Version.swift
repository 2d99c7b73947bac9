import ArgumentParser
import Containers
import Formats
import Glibc
import Linux

/// `apus version`.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the version of Apus and of the kernel")

    @Option(name: .shortAndLong, help: "json, or a Go template such as '{{.Client.Version}}'") var format: String?

    func run() throws {
        let machine = Machine()
        // There is no server: Apus is both of what Docker tells apart.
        let version: Value = [
            "Version": .string(Program.version), "Os": "linux", "Arch": .string(machine.architecture),
            "KernelVersion": .string(machine.kernel), "OCISpec": "1.2.0",
        ]
        let value: Value = ["Client": version, "Server": version]
        switch format {
        case nil:
            Output.write(
                """
                Apus
                 Version:           \(Program.version)
                 OCI runtime spec:  1.2.0
                 OS/Arch:           linux/\(machine.architecture)
                 Kernel:            \(machine.kernel)

                """)
        case "json": Output.line(value.json())
        case let format?: Output.line(try Template(format).render(value))
        }
    }
}

/// What the kernel says of this machine.
struct Machine {
    let kernel: String
    let hostName: String
    /// As Docker and the OCI name it: `amd64`, `arm64`.
    let architecture: String
    let processors = sysconf(CInt(_SC_NPROCESSORS_ONLN))
    /// In bytes.
    let memory = sysconf(CInt(_SC_PHYS_PAGES)) * sysconf(CInt(_SC_PAGESIZE))

    init() {
        var names = utsname()
        uname(&names)
        kernel = Self.text(&names.release)
        hostName = Self.text(&names.nodename)
        let machine = Self.text(&names.machine)
        architecture = ["x86_64": "amd64", "aarch64": "arm64"][machine] ?? machine
    }

    /// A text that ends with a zero byte.
    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
