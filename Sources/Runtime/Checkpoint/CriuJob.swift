import Glibc
import Linux
import OCI
import SystemPackage

/// What dump and restore have in common: CRIU, its directories, its log and its words for what went wrong.
struct CriuJob {
    let options: CheckpointOptions
    let service: CriuService
    private let images: FileDescriptor
    private let work: FileDescriptor?
    private let log: String

    /// - Parameters:
    ///   - options: With absolute paths.
    ///   - log: The name of the log.
    ///   - makesImages: Whether the directory of the images is made when it is missing.
    init(_ options: CheckpointOptions, log: String, makesImages: Bool) throws(Failure) {
        guard geteuid() == 0 else {
            throw Failure("run", "criu", "saves and restores processes for root alone", remedy: "run as root")
        }
        self.options = options
        self.log = log
        service = try CriuService(options.criu)
        images = try Self.open(options.imagePath, "--image-path", makes: makesImages)
        work = try options.workPath.map { path throws(Failure) in try Self.open(path, "--work-path", makes: true) }
    }

    private static func open(_ path: String, _ option: String, makes: Bool) throws(Failure) -> FileDescriptor {
        try step("open", "\(option) '\(path)'") { () throws(SystemCallError) in
            let here = FileDescriptor.workingDirectory
            if makes { try here.makeDirectories(path, mode: 0o700) }
            return try here.open(path, O_RDONLY | O_DIRECTORY)
        }
    }

    func close() {
        images.closeQuietly()
        work?.closeQuietly()
    }

    /// What CRIU finds open.
    var directories: [String] { [options.imagePath] + (options.workPath.map { [$0] } ?? []) }

    /// What is the same in every request.
    func request(_ spec: Spec) -> CriuRequestOptions {
        var request = CriuRequestOptions()
        request.set(.imagesDirectory, CriuService.firstDescriptor)
        if options.workPath != nil { request.set(.workDirectory, CriuService.firstDescriptor + 1) }
        request.set(.logLevel, 4)
        request.set(.logFile, log)
        request.set(.notifies, true)
        request.set(.managesCgroups, true)
        request.set(.cgroupsMode, options.cgroupsMode.rawValue)
        request.set(.orphanTerminals, true)
        // Network devices are the engine's, who makes them at a restore as at a start.
        request.set(.emptyNamespaces, Int(CLONE_NEWNET))
        request.set(.tcpEstablished, options.tcpEstablished)
        request.set(.tcpSkipInFlight, options.tcpSkipInFlight)
        request.set(.linkRemap, options.linkRemap)
        request.set(.externalSockets, options.externalSockets)
        request.set(.shellJob, options.shellJob)
        request.set(.fileLocks, options.fileLocks)
        request.set(.autoDedup, options.autoDedup)
        request.set(.lazyPages, options.lazyPages)
        if let file = Self.configFile(spec) { request.set(.configFile, file) }
        return request
    }

    /// As runc has it: an annotation names another one, or none.
    private static func configFile(_ spec: Spec) -> String? {
        guard let name = spec.annotations?["org.criu.config"] else { return "/etc/criu/runc.conf" }
        return name.isEmpty ? nil : name
    }

    /// - Throws: What CRIU says, and where it says more.
    func requireSuccess(_ answer: CriuAnswer, _ verb: String, _ id: String) throws(Failure) {
        guard !answer.isSuccess else { return }
        let reason = firstError() ?? answer.message.map { Self.text(of: $0[...]) } ?? "failed and does not say why"
        throw Failure(verb, id, "criu: \(reason)", remedy: "see \(options.workPath ?? options.imagePath)/\(log)")
    }

    /// The first line of the log that says what is wrong, rather than that some program of CRIU's ended:
    /// `(00.012345) Error (criu/mount.c:123): mnt: …`.
    private func firstError() -> String? {
        let text = try? (work ?? images).contents(of: log, limit: 64 << 20)  // `try?`: there may be no log yet
        return text?.split(separator: UInt8(ascii: "\n")).lazy.map { String(decoding: $0, as: UTF8.self) }
            .first { $0.contains("Error (") && !$0.contains("Error (criu/util.c") }.map { Self.text(of: $0[...]) }
    }

    /// What follows the place in CRIU's source.
    private static func text(of line: Substring) -> String {
        let start = line.firstRange(of: "Error (").map { line[$0.upperBound...] } ?? line
        return String((start.firstRange(of: "): ").map { start[$0.upperBound...] } ?? start).prefix { $0 != "\n" })
    }

    // MARK: The container's streams

    private static let descriptorsName = "descriptors.json"

    /// Keeps the names of init's streams, by which a restore knows those that come from outside.
    func saveStreams(_ names: [String]) throws(Failure) {
        try step("write", Self.descriptorsName) { () throws(SystemCallError) in
            try images.replaceFile(Self.descriptorsName, with: StreamNames(names: names).list())
        }
    }

    /// What was kept.
    func streams() throws(Failure) -> [String] {
        let text = try step("read", "\(options.imagePath)/\(Self.descriptorsName)") { () throws(SystemCallError) in
            try images.contents(of: Self.descriptorsName, limit: 1 << 16)
        }
        do throws(SpecError) {
            return try StreamNames(list: text).names
        } catch {
            throw Failure("read", "\(options.imagePath)/\(Self.descriptorsName)", "not a list of names")
        }
    }
}

/// `descriptors.json`, as other runtimes have it: a list without a name.
private struct StreamNames: JSONMappable {
    var names: [String] = []

    init(names: [String]) { self.names = names }

    init() {}

    mutating func map(_ fields: JSONFields) { fields.required("names", &names) }

    private static let opening = Array(#"{"names":"#.utf8)

    init(list: [UInt8]) throws(SpecError) { try self.init(json: Self.opening + list + [UInt8(ascii: "}")]) }

    func list() -> ArraySlice<UInt8> { json().dropFirst(Self.opening.count).dropLast() }
}
