import Containers
import Dockerfiles
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// `COPY` and `WORKDIR`.
extension StageBuild {
    func copy(_ instruction: CopyInstruction, _ statement: Statement, isAdd: Bool) throws {
        var paths: [String] = []
        var documents: [(name: String, text: String)] = []
        for source in instruction.sources {
            switch source {
            case .path(let path): paths.append(path)
            case .heredoc(let heredoc):
                documents.append((heredoc.name, heredoc.text))
            }
        }
        var options = CopyOptions(destination: absolute(instruction.destination))
        options.owner = instruction.chown
        options.mode = try instruction.chmod.map { (text) throws(Failure) in try FileMode(text) }
        let verb = isAdd ? "ADD" : "COPY"
        var flags = instruction.from.map { "--from=\($0) " } ?? ""
        if let owner = options.owner { flags += "--chown=\(owner) " }
        if let mode = instruction.chmod { flags += "--chmod=\(mode) " }
        if instruction.parents { flags += "--parents " }
        let names = paths + documents.map { "<<\($0.name)" }
        let history = "\(verb) \(flags)\(names.joined(separator: " ")) \(options.destination)"
        let request = CopyRequest(
            paths: paths, documents: documents, options: options, keepsParents: instruction.parents,
            exclude: instruction.exclude, isAdd: isAdd, instruction: instruction)
        if isAdd, paths.contains(where: { RemoteSource($0) != nil }) {
            try add(request, history, statement.text)
        } else if let checksum = instruction.checksum {
            throw Failure("ADD", "--checksum=\(checksum)", "is for what is downloaded")
        } else if let from = instruction.from {
            switch try origin(named: from) {
            case .layers(let layers): try copy(request, from: layers, history, statement.text)
            case .directory(let path):
                let digests = FileDigests(in: build.store, context: path)
                try copy(request, from: try Self.tree(path), digests, history, statement.text)
            }
        } else {
            try copy(request, from: build.context, build.digests, history, statement.text)
        }
    }

    /// A path of the image as an instruction gives it.
    func absolute(_ path: String) -> String {
        if path.utf8.first == UInt8(ascii: "/") { return path }
        let base = state.workingDirectory
        let start = base.hasSuffix("/") ? base : "\(base)/"
        // The directory itself.
        if path == "." || path == "./" || path.isEmpty { return start }
        return start + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }

    // MARK: From the context

    private func copy(
        _ request: CopyRequest, from tree: SourceTree, _ digests: FileDigests, _ history: String, _ text: String
    ) throws {
        let plan = try request.plan(in: tree)
        let digest = try plan.digest(in: tree, digests)
        let key = try key(history) { (key) throws(Failure) in
            key.add("files", "\(digest)")
            request.add(to: &key)
        }
        try changeFiles(key, history, shown: text) { recorder in
            let step = try BuildStep(stepConfig(["copy"]), in: build.containers)
            try perform(request, [(tree, plan)], in: step, recorder)
        }
    }

    private func perform(
        _ request: CopyRequest, _ parts: [(SourceTree, CopyPlan)], in step: BuildStep, _ recorder: StepRecorder
    ) throws(Failure) {
        try step.change(
            outside: { Owners.areGivenAway },
            { (givesAway) throws(Failure) in try request.perform(parts, givesAway: givesAway) },
            whenDone: { () throws(Failure) in try recorder.take(step.upperPath) })
    }

    // MARK: From elsewhere

    /// Downloads first, since what comes is part of the key; with a checksum that is known before.
    private func add(_ request: CopyRequest, _ history: String, _ text: String) throws {
        let checksum = try request.instruction.checksum.map { (text) throws(Failure) in try Digest(text) }
        if checksum != nil, request.paths.count != 1 {
            throw Failure("ADD", "--checksum", "is for one download")
        }
        var known = try key(history) { (key) throws(Failure) in request.add(to: &key) }
        if let checksum {
            known = try key(history) { (key) throws(Failure) in
                key.add("checksum", "\(checksum)")
                request.add(to: &key)
            }
            if cached(known) != nil { return try changeFiles(known, history, shown: text) { _ in } }
        }
        let step = try BuildStep(stepConfig(["add"]), in: build.containers)
        var isUsed = false
        defer { if !isUsed { step.abandon() } }
        var parts: [(SourceTree, CopyPlan)] = []
        var digests: [Digest] = []
        for (index, path) in request.paths.enumerated() {
            let (tree, plan) = try fetch(path, "\(step.path)/download-\(index)", request)
            let digest = try plan.digest(in: tree, FileDigests(in: nil, context: ""))
            if let checksum { try Self.check(plan, in: tree, path, checksum) }
            digests.append(digest)
            parts.append((tree, plan))
        }
        if checksum == nil {
            known = try key(history) { (key) throws(Failure) in
                for digest in digests { key.add("files", "\(digest)") }
                request.add(to: &key)
            }
        }
        try changeFiles(known, history, shown: text) { recorder in
            isUsed = true
            try perform(request, parts, in: step, recorder)
        }
    }

    private func fetch(
        _ path: String, _ directory: String, _ request: CopyRequest
    ) throws(Failure) -> (SourceTree, CopyPlan) {
        guard let remote = RemoteSource(path) else {
            var local = request
            local.paths = [path]
            return (build.context, try local.plan(in: build.context))
        }
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.makeDirectory(directory, mode: 0o700)
        } catch {
            throw Failure("ADD", path, error)
        }
        let name = try remote.fetch(into: directory, keepsGit: request.instruction.keepsGitDirectory)
        var tree = try Self.tree(directory)
        tree.isRemote = true
        return (tree, try CopyPlan([name], in: tree))
    }

    private static func check(
        _ plan: CopyPlan, in tree: SourceTree, _ path: String, _ checksum: Digest
    ) throws(Failure) {
        guard let item = plan.items.first, item.source.isFile else {
            throw Failure("ADD", path, "--checksum is for a file")
        }
        let file = try tree.open(item.source.path, O_RDONLY)
        defer { file.closeQuietly() }
        var hasher = Digest.Hasher(checksum.algorithm)
        try withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 16) { (buffer) throws(Failure) in
            while true {
                let count = read(file.rawValue, buffer.baseAddress, buffer.count)
                guard count >= 0 else { throw Failure("ADD", path, Errno(rawValue: errno).reason) }
                if count == 0 { return }
                hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        let digest = hasher.finish()
        guard digest == checksum else {
            throw Failure("ADD", path, "what comes has the digest \(digest), not \(checksum)")
        }
    }

    // MARK: From a stage or an image

    /// What `--from` means.
    enum Origin {
        /// The layers of a stage or an image, the topmost first.
        case layers([String])
        /// A directory of the caller's.
        case directory(String)
    }

    func origin(named name: String) throws -> Origin {
        switch build.options.contexts[name] {
        case .directory(let path): return .directory(path)
        case .image(let reference): return .layers(try layers(ofImage: reference))
        case nil: break
        }
        switch try build.dockerfile.source(ofReference: name, at: stageNumber, place: stage.place) {
        case .other(let image): return .layers(try layers(ofImage: image))
        case .stage(let number):
            guard let state = stages[number] else { throw Failure("--from", name, "is no stage before this one") }
            return .layers(state.layerNames)
        }
    }

    private func layers(ofImage name: String) throws -> [String] {
        try build.findImage(name, build.options.platform).layers.reversed().map(\.hex)
    }

    /// A directory of the caller's, as what files are copied from.
    static func tree(_ path: String) throws(Failure) -> SourceTree {
        do throws(SystemCallError) {
            let root = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
            return SourceTree(root: root, name: "'\(path)'", keepsOwners: false)
        } catch {
            throw Failure("open context", path, error.errno.reason)
        }
    }

    private func copy(_ request: CopyRequest, from layers: [String], _ history: String, _ text: String) throws {
        let containers = build.containers
        let digest = try layersDigest(request, layers)
        let key = try key(history) { (key) throws(Failure) in
            key.add("files", digest)
            request.add(to: &key)
        }
        try changeFiles(key, history, shown: text) { recorder in
            let step = try BuildStep(stepConfig(["copy"]), in: containers)
            try step.change(
                outside: { () throws(Failure) in (try containers.openLayers(layers), Owners.areGivenAway) },
                { (prepared) throws(Failure) in
                    let tree = SourceTree(root: prepared.0, name: "the stage or image", keepsOwners: true)
                    try request.perform([(tree, try request.plan(in: tree))], givesAway: prepared.1)
                },
                whenDone: { () throws(Failure) in try recorder.take(step.upperPath) })
        }
    }

    /// The digest of what is copied out of layers. These never change, so that it is found out once.
    private func layersDigest(_ request: CopyRequest, _ layers: [String]) throws -> String {
        var key = StepKey(after: Digest.of([]), "files of layers")
        for layer in layers { key.add("layer", layer) }
        request.add(to: &key)
        for path in request.paths { key.add("path", path) }
        let name = key.finish()
        if let known = build.images.buildRecord(name), known.layer == nil { return known.step }
        let containers = build.containers
        let answer = try containers.inChildOfOwner { () throws(Failure) in
            let root = try containers.openLayers(layers)
            defer { root.closeQuietly() }
            let tree = SourceTree(root: root, name: "the stage or image", keepsOwners: true)
            let digest = try request.plan(in: tree).digest(in: tree, FileDigests(in: nil, context: ""))
            return Array("\(digest)".utf8)
        }
        let digest = String(decoding: answer, as: UTF8.self)
        try build.images.save(BuildRecord(key: name, step: digest, created: build.now, layer: nil))
        return digest
    }

    // MARK: WORKDIR

    /// Makes the directory as well.
    func workdir(_ text: String) throws {
        let path = Self.clean(absolute(text))
        let history = "WORKDIR \(path)"
        let time = build.options.timestamp
        try changeFiles(try key(history), history, shown: history) { recorder in
            let step = try BuildStep(stepConfig(["workdir"]), in: build.containers)
            try step.change(
                outside: { () },
                { (_) throws(Failure) in
                    var options = CopyOptions(destination: path)
                    options.time = time
                    let tree = SourceTree(root: FileDescriptor(rawValue: AT_FDCWD), name: "", keepsOwners: false)
                    try CopyWork(from: tree, options).makeDirectory()
                },
                whenDone: { () throws(Failure) in try recorder.take(step.upperPath) })
        }
        state.execution.workingDir = path
    }

    /// Without `.`, `..` and slashes twice or at the end.
    static func clean(_ path: String) -> String {
        "/" + CopyPlan.components(path).map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }
}

/// A `COPY` or `ADD` with all its words expanded.
struct CopyRequest {
    var paths: [String]
    var documents: [(name: String, text: String)]
    var options: CopyOptions
    var keepsParents: Bool
    var exclude: [String]
    var isAdd: Bool
    var instruction: CopyInstruction

    /// What it takes from a tree.
    func plan(in tree: SourceTree) throws(Failure) -> CopyPlan {
        guard !exclude.isEmpty else { return try CopyPlan(paths, in: tree, keepsParents: keepsParents) }
        let rules: IgnoreRules
        do throws(DockerfileError) {
            rules = try IgnoreRules(Array(exclude.joined(separator: "\n").utf8), name: "--exclude")
        } catch {
            throw Failure("COPY --exclude", exclude.joined(separator: " "), error.what)
        }
        return try CopyPlan(paths, in: tree, keepsParents: keepsParents) { rules.matches(path: $0) }
    }

    /// Adds to a key what is not in the instruction's text.
    func add(to key: inout StepKey) {
        for document in documents {
            key.add("name", document.name)
            key.add("text", document.text)
        }
        for pattern in exclude { key.add("exclude", pattern) }
        if keepsParents { key.add("parents", "") }
        key.add("sources", "\(paths.count)")
    }

    /// Copies into this process' own root.
    ///
    /// - Parameter givesAway: Whether there are other owners than root here.
    func perform(_ parts: [(SourceTree, CopyPlan)], givesAway: Bool) throws(Failure) {
        var options = options
        options.givesAway = givesAway
        let count = parts.reduce(documents.count) { $0 + $1.1.items.count }
        options.needsDirectory = count > 1
        options.unpacks = isAdd ? (instruction.unpack.map { $0 ? .everything : .nothing } ?? .local) : .nothing
        for (tree, plan) in parts { try CopyWork(from: tree, options).run(plan) }
        for document in documents {
            try CopyWork(from: parts[0].0, options).write(Array(document.text.utf8), named: document.name)
        }
    }
}

/// Whether this process may give files to others: root with more IDs than its own.
enum Owners {
    static var areGivenAway: Bool {
        let map = FileDescriptor.contentsIfReadable(of: "/proc/self/uid_map", limit: 1 << 16) ?? []
        let lines = map.split(separator: UInt8(ascii: "\n"))
        let counts = lines.map { line in
            line.split(separator: UInt8(ascii: " ")).last.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0
        }
        // Without /proc it cannot be told; then it is what root mostly may.
        return counts.isEmpty || counts.reduce(0, +) > 1
    }
}
