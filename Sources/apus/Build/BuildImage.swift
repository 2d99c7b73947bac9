import ArgumentParser
import Builder
import Containers
import Glibc
import Images
import Linux
import SystemPackage

/// `apus build`: an image from a Dockerfile.
struct BuildImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Build an image from a Dockerfile and a directory with its files")

    @Option(
        name: [.short, .long], parsing: .singleValue,
        help: ArgumentHelp("Give the image this name", valueName: "name[:tag]"))
    var tag: [String] = []
    @Option(
        name: [.short, .long],
        help: "The Dockerfile, - for standard input (default Dockerfile or Containerfile in the context)")
    var file: String?
    @Option(parsing: .singleValue, help: "Set an ARG; without a value it is that of the environment")
    var buildArg: [String] = []
    @Option(parsing: .singleValue, help: "Give the image a label") var label: [String] = []
    @Option(help: "Build this stage (default the last one)") var target: String?
    @Flag(help: "Do all steps, also those that were done before") var noCache = false
    @Flag(help: "Ask the registries for newer images") var pull = false
    @Option(help: "Build for this platform, such as linux/arm64") var platform: String?
    @Option(help: "What RUN is connected to: default, none, host or a network") var network: String?
    @Option(parsing: .singleValue, help: "Add a line NAME:ADDRESS to /etc/hosts of RUN") var addHost: [String] = []
    @Option(parsing: .singleValue, help: "Use this name server in RUN") var dns: [String] = []
    @Option(name: [.short, .long], help: "Limit the memory of RUN") var memory: String?
    @Option(help: "Limit memory and swap of RUN together, -1 for no limit of swap") var memorySwap: String?
    @Option(help: "Limit the CPU time of RUN to so many CPUs, such as 1.5") var cpus: String?
    @Option(help: "CPUs for RUN, such as 0-3,7") var cpusetCpus: String?
    @Option(help: "Limit processes and threads of RUN") var pidsLimit: String?
    @Option(help: "Size of /dev/shm in RUN") var shmSize: String?
    @Option(parsing: .singleValue, help: "Limit of each process of RUN, such as nofile=1024") var ulimit: [String] = []
    @Option(help: "The cgroup that those of RUN are in") var cgroupParent: String?
    @Option(parsing: .singleValue, help: "A secret for RUN --mount: id=NAME,src=FILE or id=NAME,env=VARIABLE")
    var secret: [String] = []
    @Option(parsing: .singleValue, help: "An agent's socket for RUN --mount=type=ssh: default or NAME=SOCKET")
    var ssh: [String] = []
    @Option(parsing: .singleValue, help: "What a name in FROM and --from means: NAME=DIR or NAME=docker-image://IMAGE")
    var buildContext: [String] = []
    @Option(parsing: .singleValue, help: "Allow what is not by default: network.host, security.insecure")
    var allow: [String] = []
    @Option(help: "Make the image and its files as of this time, in seconds since 1970 (default $SOURCE_DATE_EPOCH)")
    var timestamp: Int64?
    @Option(
        name: [.short, .long],
        help:
            "What becomes of the result: DIR or type=local,dest=DIR, type=tar, type=oci or type=docker with dest=FILE; - is standard output"
    )
    var output: String?
    @Option(help: "Write the image's ID to this file") var iidfile: String?
    @Option(help: "Write what was built to this file, as JSON") var metadataFile: String?
    @Flag(help: "Build nothing; say what is amiss with the Dockerfile, by the rules' names that BuildKit has")
    var check = false
    @Option(help: "plain, or quiet as with --quiet") var progress = "plain"
    @Flag(name: .shortAndLong, help: "Print nothing but the image's ID") var quiet = false
    @Argument(
        help: ArgumentHelp(
            "The directory whose files are copied, a Git repository or an archive on the web (URL[#REF[:DIR]]), or - for an "
                + "archive or a Dockerfile on standard input", valueName: "context"),
        completion: .directory)
    var context: String

    func run() throws {
        let options = try makeOptions()
        let names = try tag.map { text throws(Failure) in try ImageReference(text) }
        let containers = try openStore()
        let images = try ImageCommand.openStore(beside: containers)
        let place = try BuildPlace(context: context, file: file, in: images)
        defer { place.close() }
        let dockerfile = try place.dockerfile()
        let rules = try place.rules()
        guard try DockerfileCheck.passes(dockerfile, ignoring: rules, isAsked: check) else {
            throw ExitCode(try Output.finish(1))
        }
        if check { return }
        let surroundings = BuildSurroundings(
            dockerfile, options, context: place.directory, contextPath: place.path, ignoring: ContextRules(rules),
            containers: containers, images: images, progress: BuildProgress(isQuiet: options.isQuiet)
        ) { name, platform in
            try RunImage.find(name, platform, pulls: options.pulls, quiet: options.isQuiet, in: images)
        }
        let unused = surroundings.unusedArguments
        if !unused.isEmpty { Report.line("warning: no ARG takes \(unused.joined(separator: ", "))") }
        do {
            let build = try Build(surroundings)
            let output = try output.map { text throws(Failure) in try BuildOutput(text) }
            let state = try build.run()
            if let output, !output.isImage {
                try output.write(state, containers)
                if names.isEmpty { return }
            }
            let record = try build.name(state, as: names)
            try report(record, prints: output?.takesStandardOutput != true)
            try output?.write(record, as: names, in: images)
        } catch let error as BuildError {
            Report.line("\(error)")
            throw OwnerProcess.Ended(status: error.exitCode)
        } catch let failed as StageFailed {
            _ = containers.sweep()
            throw OwnerProcess.Ended(status: failed.status)
        }
    }

    private func report(_ record: ImageRecord, prints: Bool) throws {
        if let iidfile { try Self.write("\(record.id)", to: iidfile) }
        if let metadataFile {
            let json = """
                {"containerimage.config.digest":"\(record.id)","containerimage.digest":"\(record.manifest.digest)"}

                """
            try Self.write(json, to: metadataFile)
        }
        if prints { Output.line(record.id.description) }
    }

    private static func write(_ text: String, to path: String) throws(Failure) {
        do throws(SystemCallError) {
            let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
            defer { file.closeQuietly() }
            try file.writeFully(text.utf8)
        } catch {
            throw Failure("write", path, error.errno.reason)
        }
    }

    // MARK: Options

    private func makeOptions() throws -> BuildOptions {
        var options = BuildOptions()
        for text in buildArg { if let argument = try Self.argument(text) { options.arguments.append(argument) } }
        for text in label {
            let (name, value) = try Assignments.split(text)
            options.labels.append((name, value ?? ""))
        }
        options.target = target
        options.ignoresCache = noCache
        options.pulls = pull
        options.platform = try platform.map { text throws(Failure) in try Platform(text) } ?? .host
        if let network {
            options.network = try Self.network(network)
        } else if let usual = getenv("APUS_NETWORK").map({ String(cString: $0) }), !usual.isEmpty {
            do throws(Failure) {
                options.network = try Self.network(usual)
            } catch {
                throw error.naming("APUS_NETWORK")
            }
        }
        options.extraHosts = try addHost.map { text throws(Failure) in try ModeSyntax.extraHost(text) }
        for server in dns {
            guard HostFiles.isAddress(server) else { throw Failure("--dns", "'\(server)'", "is not an IP address") }
            options.dns.servers.append(server)
        }
        try setLimits(&options)
        for text in secret {
            let (id, source) = try Self.secret(text)
            options.secrets[id] = source
        }
        for text in ssh {
            let (id, socket) = try Self.agent(text)
            options.agents[id] = socket
        }
        for text in buildContext {
            let (name, value) = try Assignments.split(text)
            guard let value, !value.isEmpty else {
                throw Failure(
                    "--build-context", "'\(text)'", "has no value", remedy: "give NAME=DIR or NAME=docker-image://IMAGE"
                )
            }
            options.contexts[name] = try Self.namedContext(value)
        }
        for text in allow {
            switch text {
            case "network.host": options.allowsHostNetwork = true
            case "security.insecure": options.allowsInsecure = true
            default:
                throw UsageError("--allow '\(text)': network.host and security.insecure are known", command: "build")
            }
        }
        options.timestamp = try timestamp ?? Self.sourceDateEpoch(options)
        guard ["plain", "auto", "quiet"].contains(progress) else {
            throw UsageError("--progress '\(progress)': plain, auto and quiet are known", command: "build")
        }
        options.isQuiet = quiet || progress == "quiet"
        return options
    }

    private func setLimits(_ options: inout BuildOptions) throws(Failure) {
        if let memory { options.resources.memory = try Values.memoryLimit(memory) }
        if let memorySwap { options.resources.memorySwap = try Values.sizeOrUnlimited(memorySwap) }
        if let cpus { options.resources.nanoCPUs = try Values.nanoCPUs(cpus) }
        if let cpusetCpus { options.resources.cpusetCPUs = try Values.cpuList(cpusetCpus) }
        if let pidsLimit { options.resources.pids = try Values.integer(pidsLimit, in: -1...Int64.max) }
        if let shmSize { options.sharedMemorySize = try Values.positiveSize(shmSize) }
        for text in ulimit { options.rlimits.append(try SecuritySyntax.ulimit(text)) }
        options.cgroupParent = cgroupParent
    }

    private static func argument(_ text: String) throws(Failure) -> (name: String, value: String)? {
        let (name, value) = try Assignments.split(text)
        if let value { return (name, value) }
        return getenv(name).map { (name, String(cString: $0)) }
    }

    private static func network(_ text: String) throws(Failure) -> NetworkMode {
        if text == "default" { return .standard }
        let mode = try ModeSyntax.network(text)
        if case .container = mode { throw Failure("--network", "'\(text)'", "a step has no network of a container") }
        return mode
    }

    /// In seconds since 1970.
    private static func sourceDateEpoch(_ options: BuildOptions) throws(Failure) -> Int64? {
        let given = options.arguments.last { $0.name == "SOURCE_DATE_EPOCH" }?.value
        guard let text = given ?? getenv("SOURCE_DATE_EPOCH").map({ String(cString: $0) }), !text.isEmpty else {
            return nil
        }
        guard let seconds = Int64(text), seconds >= 0 else {
            throw Failure("SOURCE_DATE_EPOCH", "'\(text)'", "is no time", remedy: "give seconds since 1970")
        }
        return seconds
    }

    private static func secret(_ text: String) throws(Failure) -> (id: String, source: SecretRequest.Source) {
        var (id, file, variable): (String?, String?, String?) = (nil, nil, nil)
        for field in text.split(separator: ",") {
            let (key, value) = try Assignments.split(String(field))
            switch key {
            case "id": id = value
            case "src", "source": file = value
            case "env": variable = value
            case "type":
                if value == "env" { variable = variable ?? "" }
                guard value == "env" || value == "file" else {
                    throw Failure("--secret", "'\(text)'", "type is neither file nor env")
                }
            default:
                throw Failure(
                    "--secret", "'\(text)'", "unknown key '\(key)'",
                    remedy: "give id=NAME,src=FILE or id=NAME,env=VARIABLE")
            }
        }
        guard let id, !id.isEmpty, !id.utf8.contains(UInt8(ascii: "/")) else {
            throw Failure("--secret", "'\(text)'", "has no id", remedy: "give id=NAME,src=FILE or id=NAME,env=VARIABLE")
        }
        if let variable { return (id, .variable(name: variable.isEmpty ? file ?? id : variable)) }
        if let file { return (id, .file(path: try absolute(file))) }
        // As Docker has it: a variable or a file of that name.
        return (id, getenv(id) != nil ? .variable(name: id) : .file(path: try absolute(id)))
    }

    private static func agent(_ text: String) throws(Failure) -> (id: String, socket: String) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard let id = parts.first else { throw Failure("--ssh", "''", "names no agent") }
        if parts.count > 1 { return (String(id), try absolute(String(parts[1]))) }
        guard let socket = getenv("SSH_AUTH_SOCK") else {
            throw Failure("--ssh", text, "there is no agent", remedy: "start one, or give \(id)=SOCKET")
        }
        return (String(id), String(cString: socket))
    }

    private static func namedContext(_ value: String) throws(Failure) -> NamedContext {
        let prefix = "docker-image://"
        if value.hasPrefix(prefix) { return .image(String(value.dropFirst(prefix.count))) }
        if value.contains("://") {
            throw Failure("--build-context", value, "is neither a directory nor docker-image://IMAGE")
        }
        return .directory(try absolute(value))
    }

    /// From the working directory.
    static func absolute(_ path: String) throws(Failure) -> String {
        if path.isAbsolutePath { return path }
        guard let here = getcwd(nil, 0) else {
            throw Failure("find working directory", "", SystemCallError("getcwd", "", .init(rawValue: errno)))
        }
        defer { free(here) }
        return "\(String(cString: here))/\(path)"
    }
}
