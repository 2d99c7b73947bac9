import ArgumentParser
import Images
import Linux
import Registries

/// `apus push`, `apus image push`: an image to its registry, or to a file or a directory.
struct PushImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Put an image into a registry, or into a file or directory such as oci:DIR")

    @Flag(name: .shortAndLong, help: "Push all tags of the repository that are here") var allTags = false
    @Option(help: "Take credentials from this file") var authfile: String?
    @Flag(help: "Accepted as in Docker: there is no other trust than in registries and digests")
    var disableContentTrust = false
    @Option(help: "Take it only if it is for this platform, such as linux/arm64") var platform: String?
    @Flag(name: .shortAndLong, help: "Print nothing but the image's name") var quiet = false
    @Argument(help: .image, completion: .images) var name: String
    @Argument(help: ArgumentHelp("Where to, if not where its name says", valueName: "destination"))
    var destination: String?

    func run() throws {
        let store = try ImageCommand.openStore()
        try Output.finish()
        if allTags { return try pushAll(store) }
        let record = try ImageCommand.find(name, for: platform, in: store)
        if let destination, let transport = Transport(destination) {
            try ImageCommand.pack([record], in: store)
            return try store.save([SavedImage(record, as: [record.reference].compactMap { $0 })], to: transport)
        }
        try push(record, to: ImageReference(destination ?? name), store)
    }

    private func pushAll(_ store: ImageStore) throws {
        let reference = try ImageReference(name, defaultTag: nil)
        guard reference.tag == nil, reference.digest == nil, destination == nil else {
            throw UsageError("--all-tags goes with a name without a tag alone", command: "push")
        }
        let records = try store.list().filter { $0.reference?.name == reference.name && $0.reference?.tag != nil }
        if records.isEmpty { throw ImageStore.noSuchImage(name) }
        for record in records { if let target = record.reference { try push(record, to: target, store) } }
    }

    private func push(_ record: ImageRecord, to reference: ImageReference, _ store: ImageStore) throws {
        try ImageCommand.pack([record], in: store)
        let progress = ImageCommand.progress(quiet: quiet)
        progress.say("The push refers to repository [\(reference.name)]")
        var options = PushOptions()
        options.registry.authFile = authfile
        let result = try Push.run(reference, record, options: options, store: store, progress: progress)
        progress.say("\(reference.tag ?? ""): digest: \(result.digest) size: \(result.size)")
        try note("\(reference.familiarName)@\(result.digest)", on: record, store)
        if quiet { Output.line(reference.canonical) }
    }

    /// Remembers by which name the registry has the image now.
    private func note(_ repoDigest: String, on record: ImageRecord, _ store: ImageStore) throws {
        guard !record.repoDigests.contains(repoDigest) else { return }
        let held = try store.hold(record)
        var noted = record
        noted.repoDigests.append(repoDigest)
        try store.record(noted)
        withExtendedLifetime(held) {}
    }
}
