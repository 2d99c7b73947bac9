import ArgumentParser
import Glibc
import Images
import Linux
import Registries
import SystemPackage

/// `apus pull`, `apus image pull`: an image from its registry, or from a file or a directory.
struct PullImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Get an image from a registry, or from oci:DIR, oci-archive:FILE, docker-archive:FILE or dir:DIR")

    @Flag(name: .shortAndLong, help: "Get all tags of the repository") var allTags = false
    @Option(help: "Take credentials from this file") var authfile: String?
    @Flag(help: "Accepted as in Docker: there is no other trust than in registries and digests")
    var disableContentTrust = false
    @Option(help: "Get the image for this platform, such as linux/arm64") var platform: String?
    @Flag(name: .shortAndLong, help: "Print nothing but the image's name") var quiet = false
    @Argument(help: ArgumentHelp("Its name", valueName: "name[:tag|@digest]")) var name: String

    func run() throws {
        try OwnerProcess.enter()
        let store = try ImageCommand.openStore()
        var options = PullOptions()
        options.registry.authFile = authfile
        options.platform = try platform.map { text throws(Failure) in try Platform(text) }
        if let transport = Transport(name) { return try load(transport, options.platform ?? .host, store) }
        if allTags { return try pullAll(options, store) }
        try Output.finish()
        let configuration = try RegistriesConfiguration(isMachineRoot: OwnerProcess.isMachineRoot)
        let meaning = try configuration.meaning(of: name)
        if meaning.isToBeAsked, let chosen = try ShortNameQuestion.ask(name, meaning.candidates) {
            try pull(chosen, options, store)
            return try configuration.remember(name, as: chosen)
        }
        var failure: Failure?
        for reference in try meaning.candidatesUnasked() {
            do throws(Failure) {
                return try pull(reference, options, store)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func pullAll(_ options: PullOptions, _ store: ImageStore) throws {
        let reference = try ImageReference(name, defaultTag: nil)
        guard reference.tag == nil, reference.digest == nil else {
            throw UsageError("--all-tags goes with a name without a tag", command: "pull")
        }
        for tag in try Pull.tags(of: reference, options: options.registry) {
            var tagged = reference
            tagged.tag = tag
            try pull(tagged, options, store)
        }
    }

    private func pull(_ reference: ImageReference, _ options: PullOptions, _ store: ImageStore) throws(Failure) {
        let progress = ImageCommand.progress(quiet: quiet)
        let named = try ImageReference(name, defaultTag: nil)
        if named.tag == nil, named.digest == nil, !allTags { progress.say("Using default tag: latest") }
        let tag = reference.tag ?? reference.digest?.description ?? ImageReference.defaultTag
        progress.say("\(tag): Pulling from \(reference.path)")
        let result = try Pull.run(reference, options: options, store: store, progress: progress)
        progress.say("Digest: \(result.digest)")
        let status = result.isUpToDate ? "Image is up to date" : "Downloaded newer image"
        progress.say("Status: \(status) for \(reference.familiar)")
        ImageCommand.report(result.remarks)
        Output.line(reference.canonical)
    }

    private func load(_ transport: Transport, _ platform: Platform, _ store: ImageStore) throws {
        for image in try store.load(transport, platform: platform) {
            ImageCommand.report(image.remarks)
            for name in image.names { Output.line(name.canonical) }
            if image.names.isEmpty { Output.line(image.record.id.description) }
        }
    }
}

extension ImageCommand {
    /// Where a transfer tells how far it is: bars on a terminal, lines elsewhere.
    static func progress(quiet: Bool) -> any TransferProgress {
        let output = FileDescriptor(rawValue: STDOUT_FILENO)
        if quiet { return SilentProgress() }
        return isatty(STDOUT_FILENO) == 1 ? BarProgress(to: output) : LineProgress(to: output)
    }
}
