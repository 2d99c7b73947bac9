import Containers
import Dockerfiles
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// `RUN`.
extension StageBuild {
    func run(_ instruction: RunInstruction, _ statement: Statement) throws {
        let command = try Self.command(instruction, shell: shell)
        let environment = Set(variables.environment.map(\.name))
        let declared = variables.arguments.filter { !environment.contains($0) }.compactMap { name in
            variables[name].map { (name: name, value: $0) }
        }
        var history = "RUN "
        if !declared.isEmpty {
            history += "|\(declared.count) " + declared.map { "\($0.name)=\($0.value) " }.joined()
        }
        history += command.words.joined(separator: " ")
        let mounts = try StepMounts(instruction, in: self)
        let network = try network(of: instruction)
        let key = try key(history) { (key) throws(Failure) in
            for word in command.words { key.add("word", word) }
            if let script = command.script { key.add("script", script) }
            for (name, value) in declared { key.add("argument", "\(name)=\(value)") }
            key.add("security", instruction.security.rawValue)
            key.add("network", instruction.network.rawValue)
            try mounts.add(to: &key)
        }
        try changeFiles(key, history, shown: statement.text) { recorder in
            var config = stepConfig(command.words)
            configure(&config, instruction, network)
            try mounts.prepare(&config)
            let step = try BuildStep(config, in: build.containers)
            var made: [Spec.Mount] = []
            let stubs: [String]
            do {
                made = try mounts.make(in: step)
                if let script = command.script { made.append(try Self.mount(script, in: step)) }
                stubs = try step.mountPoints(made + mounts.places)
            } catch {
                step.abandon()
                throw error
            }
            let output = try StepOutput(isHidden: build.options.isQuiet)
            defer { output.close() }
            let variables = try mounts.secretEnvironment()
            let status = try step.run(mounts: made, environment: variables, output: output.descriptor) {
                () throws(Failure) in try recorder.take(step.upperPath, stubs: stubs)
            }
            guard status == 0 else {
                output.show()
                throw Failure(
                    "run", statement.text, "ended with status \(status)", exitCode: Int32(truncatingIfNeeded: status))
            }
        }
    }

    private func configure(
        _ config: inout ContainerConfig, _ instruction: RunInstruction, _ network: NetworkMode
    ) {
        let options = build.options
        config.environment = (global.proxies + variables.stepEnvironment).map { "\($0.name)=\($0.value)" }
        config.user = state.execution.user ?? ""
        config.workingDirectory = state.workingDirectory
        config.network = network
        config.extraHosts = options.extraHosts
        config.dns = options.dns
        config.resources = options.resources
        config.rlimits = options.rlimits
        config.sharedMemorySize = options.sharedMemorySize
        config.cgroupParent = options.cgroupParent
        config.hostname = "build"
        // As Docker has it: packages bring programs with set-user-ID bits, sudo is one.
        config.noNewPrivileges = false
        config.privileged = instruction.security == .insecure
    }

    private func network(of instruction: RunInstruction) throws(Failure) -> NetworkMode {
        if instruction.security == .insecure, !build.options.allowsInsecure {
            throw Failure(
                "RUN", "--security=insecure", "is not allowed", remedy: "build with --allow security.insecure")
        }
        switch instruction.network {
        case .default: return build.options.network
        case .none: return .none
        case .host:
            guard build.options.allowsHostNetwork || build.options.network == .host else {
                throw Failure("RUN", "--network=host", "is not allowed", remedy: "build with --allow network.host")
            }
            return .host
        }
    }

    // MARK: Heredocs

    /// Where a script with a `#!` line is in the container.
    private static let scriptPath = "/dev/apus-step"

    /// - Returns: The words to execute, and the text of a script that they name.
    private static func command(
        _ instruction: RunInstruction, shell: [String]
    ) throws(Failure) -> (words: [String], script: String?) {
        switch instruction.command {
        case .exec(let words):
            guard words.first?.isEmpty == false else { throw Failure("RUN", "[]", "names no command") }
            return (words, nil)
        case .shell(let line):
            // A heredoc alone is its text.
            if instruction.heredocs.isEmpty {
                return line.hasPrefix("#!") ? ([scriptPath], line) : (shell + [line], nil)
            }
            var text = line
            for heredoc in instruction.heredocs { text += "\n\(heredoc.text)\(heredoc.name)" }
            return (shell + ["\(text)\n"], nil)
        }
    }

    private static func mount(_ script: String, in step: BuildStep) throws(Failure) -> Spec.Mount {
        let path = "\(step.path)/script"
        do throws(SystemCallError) {
            let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o755)
            defer { file.closeQuietly() }
            try file.writeFully(Array(script.utf8))
            try check("fchmod", path) { fchmod(file.rawValue, 0o755) }
        } catch {
            throw Failure("RUN", "heredoc", error)
        }
        return Spec.Mount(
            destination: scriptPath, type: "bind", source: path, options: ["bind", "rprivate", "ro", "nosuid", "nodev"])
    }
}

/// Where a command of a step writes to: standard error, or memory that is shown only when it fails.
private struct StepOutput {
    let descriptor: FileDescriptor
    private let isHidden: Bool

    init(isHidden: Bool) throws(Failure) {
        self.isHidden = isHidden
        guard isHidden else {
            descriptor = FileDescriptor(rawValue: STDERR_FILENO)
            return
        }
        do throws(SystemCallError) {
            descriptor = FileDescriptor(
                rawValue: try check("memfd_create", "output") { memfd_create("output", UInt32(MFD_CLOEXEC)) })
        } catch {
            throw Failure("RUN", "output", error)
        }
    }

    func show() {
        guard isHidden else { return }
        lseek(descriptor.rawValue, 0, SEEK_SET)
        let bytes = (try? descriptor.readAll(limit: 1 << 30)) ?? []  // `try?`: the status says that it failed
        try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(bytes)  // `try?`: as above
    }

    func close() { if isHidden { descriptor.closeQuietly() } }
}
