import Containers
import Flags
import Glibc
import Images
import Linux
import Registries

/// The image that `run` or `create` names: found, or pulled by another process, since a pull has threads and whoever
/// clones a container may have none.
enum RunImage {
    /// Fills in what the image says and the command line does not.
    static func resolve(_ request: inout RunRequest, _ containers: ContainerStore) throws {
        guard let image = request.image else { return }
        let store = try ImageCommand.openStore(beside: containers)
        let record = try find(image, in: store)
        request.config.root = .image(
            ImageRoot(
                reference: image.reference, name: record.name ?? "", id: record.id.description,
                layers: record.layers.reversed().map(\.hex), exposedPorts: record.config.ports,
                volumes: record.config.volumePaths))
        try request.config.apply(ImageDefaults(record.config), image.overrides)
    }

    // MARK: Finding

    /// The image of a name for a platform, pulled if it is missing.
    ///
    /// - Parameter pulls: Whether it is pulled anyhow.
    static func find(
        _ name: String, _ platform: Platform, pulls: Bool, quiet: Bool, in store: ImageStore
    ) throws -> ImageRecord {
        var request = ImageRequest(reference: name)
        request.platform = platform == .host ? nil : platform.description
        request.pull = pulls ? .always : .missing
        request.quiet = quiet
        return try find(request, in: store)
    }

    private static func find(_ image: ImageRequest, in store: ImageStore) throws -> ImageRecord {
        let platform: Platform? = try image.platform.map { text throws(Failure) in try Platform(text) }
        let here = try local(image.reference, platform, in: store)
        switch image.pull {
        case .never: break
        case .missing:
            if let here { return here }
            if !image.quiet { Report.raw("Unable to find image '\(image.reference)' locally\n") }
            try pull(image)
        case .always: try pull(image)
        case .newer:
            do {
                try pull(image)
            } catch {
                guard let here else { throw error }
                Report.line("warning: '\(image.reference)' is run as it is here")
                return here
            }
        }
        guard let record = image.pull == .never ? here : try local(image.reference, platform, in: store) else {
            throw Failure(
                "", "no such image", image.reference,
                remedy: image.pull == .never ? "pull it with 'apus pull \(image.reference)'" : nil)
        }
        return record
    }

    /// - Returns: `nil` also for the image for another platform than is asked for.
    private static func local(
        _ reference: String, _ platform: Platform?, in store: ImageStore
    ) throws(Failure) -> ImageRecord? {
        var found = try store.find(reference)
        if found == nil { found = try elsewhere(reference, in: store) }
        guard let record = found else { return nil }
        guard let platform, record.platform.distance(from: platform) == nil else { return record }
        return nil
    }

    /// The image that a short name stands for in another registry than Docker's.
    private static func elsewhere(_ reference: String, in store: ImageStore) throws(Failure) -> ImageRecord? {
        for candidate in try RegistriesConfiguration().meaning(of: reference).candidates {
            if let record = try store.find(candidate) { return record }
        }
        return nil
    }

    // MARK: Pulling

    private static func pull(_ image: ImageRequest) throws {
        var words = ["apus", "pull"]
        if image.quiet { words.append("--quiet") }
        if let platform = image.platform { words += ["--platform", platform] }
        let status = try execute(words + ["--", image.reference])
        // It has said why.
        if status != 0 { throw OwnerProcess.Ended(status: 125) }
    }

    /// Runs this program with other words; what it prints is not this one's output.
    private static func execute(_ words: [String]) throws(Failure) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, "/proc/self/exe", &actions, nil, arguments, environ)
        guard error == 0 else {
            throw Failure("pull", words.last ?? "", "posix_spawn: \(String(cString: strerror(error)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else {
                throw Failure("pull", words.last ?? "", "waitpid: \(String(cString: strerror(errno)))")
            }
        }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}

extension ImageDefaults {
    /// As an image's configuration says.
    init(_ config: ImageConfig.Execution) {
        self.init()
        entrypoint = config.entrypoint ?? []
        command = config.cmd ?? []
        environment = config.env ?? []
        user = config.user ?? ""
        workingDirectory = config.workingDir ?? ""
        volumes = config.volumePaths
        stopSignal = config.stopSignal ?? ""
        stopTimeout = config.stopTimeout
        labels = config.labels ?? [:]
        healthCheck = config.healthcheck.flatMap { HealthCheck($0) }
    }
}

extension HealthCheck {
    /// - Returns: `nil` where there is nothing to check.
    fileprivate init?(_ check: ImageConfig.Healthcheck) {
        guard let test = check.test, let kind = test.first, kind != "NONE", test.count > 1 else { return nil }
        self.init(command: kind == "CMD-SHELL" ? test[1] : "")
        if kind == "CMD" { arguments = Array(test.dropFirst()) }
        interval = check.interval == 0 ? nil : check.interval
        timeout = check.timeout == 0 ? nil : check.timeout
        startPeriod = check.startPeriod == 0 ? nil : check.startPeriod
        startInterval = check.startInterval == 0 ? nil : check.startInterval
        retries = check.retries == 0 ? nil : check.retries
    }
}
