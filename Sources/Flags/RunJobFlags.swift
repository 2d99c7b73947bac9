import Containers
import Linux

/// The flags that make a run a job of a build or test system.
extension RunCommandLine {
    static func jobs(_ verb: Verb) -> FlagGroup<RunFlags> {
        var flags: [Flag<RunFlags>] = [
            .toggle(
                "reproducible", nil,
                "Hostname apus, LANG=LC_ALL=C.UTF-8, TZ=UTC, sorted environment; refuses what the host would decide"
            ) { flags, isOn in flags.config.setJob { $0.isReproducible = isOn } },
            .list(
                "secret", nil, "id=NAME,src=FILE",
                "Give a file in memory, /run/secrets/NAME; or env=VARIABLE; target=, uid=, gid=, mode= (default 0400)"
            ) { flags, text throws(Failure) in
                let secret = try SecretSyntax.secret(text, flags.surroundings)
                flags.config.setJob { $0.secrets.append(secret) }
            },
            .toggle("mask-secrets", nil, "Show each line of a secret as *** in logs and output") { flags, isOn in
                flags.config.setJob { $0.masksSecrets = isOn }
            },
        ]
        flags += files
        if verb == .run { flags += foreground }
        return FlagGroup("Jobs", flags)
    }

    private static var files: [Flag<RunFlags>] {
        [
            .value(
                "workspace", nil, "DIR[:PATH]",
                "Work in a directory of the host (default place /workspace), whose files are its owner's again afterwards"
            ) { flags, text throws(Failure) in
                let workspace = try JobSyntax.workspace(text, flags.surroundings)
                flags.config.setJob { $0.workspace = workspace }
            },
            .list(
                "cache", nil, "NAME:DIR[:MODE]",
                "Mount a cache that jobs share: locked (default: one at a time), shared, or copy-on-write (cow)"
            ) { flags, text throws(Failure) in
                let cache = try JobSyntax.cache(text)
                flags.config.setJob { $0.caches.append(cache) }
            },
            .value("cache-wait", nil, "DURATION", "How long to wait for a cache in use (default: without end)") {
                flags, text throws(Failure) in
                let time = try Values.duration(text)
                flags.config.setJob { $0.cacheWait = time }
            },
            .list(
                "artifact", nil, "GLOB:DIR",
                "Copy files out when it has ended, however it did; ** stands for any directories"
            ) { flags, text throws(Failure) in
                let artifact = try JobSyntax.artifact(text, flags.surroundings)
                flags.config.setJob { $0.artifacts.append(artifact) }
            },
            .value("artifact-limit", nil, "SIZE", "The most bytes of each of them (default 1g)") {
                flags, text throws(Failure) in
                let size = try Values.positiveSize(text)
                flags.config.setJob { $0.artifactLimit = size }
            },
        ]
    }

    private static var foreground: [Flag<RunFlags>] {
        [
            .value("log-prefix", nil, "TEXT", "Put a text before each line of the output") {
                flags, text throws(Failure) in
                if text.utf8.contains(0x0a) { throw Values.failure(text, "a prefix of more than one line") }
                flags.request.lineMarks.prefix = text
            },
            .toggle("log-timestamps", nil, "Put the time, in UTC, before each line of the output") {
                $0.request.lineMarks.hasTime = $1
            },
            .toggle("wait-healthy", nil, "With --detach: return once the health check has passed, or fail") {
                $0.request.waitsHealthy = $1
            },
            .value("wait-timeout", nil, "DURATION", "For how long at most (default: without end)") {
                flags, text throws(Failure) in flags.request.waitTimeout = try Values.duration(text)
            },
        ]
    }

    // MARK: What contradicts itself

    static func checkJob(_ request: RunRequest, _ verb: Verb) throws(Failure) {
        if !request.lineMarks.isEmpty { try checkLineMarks(request, verb) }
        if request.waitsHealthy, !request.detach {
            throw conflict(verb, "--wait-healthy", "goes with --detach only")
        }
        if request.waitTimeout != nil, !request.waitsHealthy {
            throw conflict(verb, "--wait-timeout", "goes with --wait-healthy only")
        }
        guard let job = request.config.job else { return }
        if job.isReproducible { try checkReproducible(request.config, verb) }
        try checkSecrets(job, request.config, verb)
        if job.cacheWait != nil, job.caches.isEmpty {
            throw conflict(verb, "--cache-wait", "there is no --cache to wait for")
        }
        if job.artifactLimit != nil, job.artifacts.isEmpty {
            throw conflict(verb, "--artifact-limit", "there is no --artifact")
        }
        try checkCaches(job.caches, request.config)
    }

    private static func checkCaches(_ caches: [CacheRequest], _ config: ContainerConfig) throws(Failure) {
        for (index, cache) in caches.enumerated() {
            let before = caches[..<index]
            if before.contains(where: { $0.name == cache.name }) {
                throw Failure("--cache", "'\(cache.name)'", "one cache in two places")
            }
            let others = before.map(\.destination) + config.mounts.map(\.destination)
            // Caches are mounted last.
            if others.contains(where: { $0 == cache.destination || $0.hasPrefix("\(cache.destination)/") }) {
                throw Failure("--cache", "'\(cache.destination)'", "would hide what another mount shows")
            }
        }
    }

    private static func checkLineMarks(_ request: RunRequest, _ verb: Verb) throws(Failure) {
        let flag = request.lineMarks.hasTime ? "--log-timestamps" : "--log-prefix"
        if request.config.tty { throw conflict(verb, flag, "would break the terminal; leave out --tty") }
        if request.detach {
            throw conflict(verb, flag, "is about the foreground; with --detach use 'apus logs --timestamps'")
        }
        if request.config.log.driver == .passthrough {
            throw conflict(verb, flag, "does not go with --log-driver passthrough, which copies nothing")
        }
    }

    private static func checkReproducible(_ config: ContainerConfig, _ verb: Verb) throws(Failure) {
        let reason = "would let the host decide, which --reproducible rules out"
        if config.tty {
            throw conflict(verb, "--tty", "would show the size of the caller's terminal to --reproducible")
        }
        if config.network == .host { throw conflict(verb, "--network host", reason) }
        if config.uts == .host { throw conflict(verb, "--uts host", reason) }
        if config.pid == .host { throw conflict(verb, "--pid host", reason) }
        if config.ipc == .host { throw conflict(verb, "--ipc host", reason) }
        if config.cgroupNamespace == .host { throw conflict(verb, "--cgroupns host", reason) }
        if config.userNamespace == .keepID { throw conflict(verb, "--userns keep-id", reason) }
    }

    private static func checkSecrets(
        _ job: JobOptions, _ config: ContainerConfig, _ verb: Verb
    ) throws(Failure) {
        if job.masksSecrets {
            if job.secrets.isEmpty { throw conflict(verb, "--mask-secrets", "there is no --secret to hide") }
            if config.tty {
                throw conflict(
                    verb, "--mask-secrets", "would hold back what a terminal must show at once; leave out --tty")
            }
            if config.log.driver == .passthrough {
                throw conflict(
                    verb, "--mask-secrets", "does not go with --log-driver passthrough, which copies nothing")
            }
        }
        for (index, secret) in job.secrets.enumerated() {
            if job.secrets[..<index].contains(where: { $0.id == secret.id }) {
                throw Failure("--secret", "'\(secret.id)'", "two secrets of one name")
            }
            let others = job.secrets[..<index].map(\.target) + config.mounts.map(\.destination)
            if others.contains(secret.target) {
                throw Failure("--secret", "'\(secret.target)'", "two mounts onto the same place")
            }
        }
        if !job.secrets.isEmpty, config.mounts.contains(where: { $0.destination == SecretRequest.directory }) {
            throw Failure("--secret", "'\(SecretRequest.directory)'", "two mounts onto the same place")
        }
    }
}
