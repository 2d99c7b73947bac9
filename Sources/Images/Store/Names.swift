import CLinux
import Glibc
public import Linux
import OCI
import SystemPackage

extension ImageStore {
    /// The most bytes of a record: labels and environments are copied into it from configurations.
    private static let recordLimit = 8 << 20

    // MARK: Finding

    /// What a name stands for. Opens one file, however many images there are.
    ///
    /// - Returns: `nil` if there is no image of this name.
    public func find(_ reference: ImageReference) throws(Failure) -> ImageRecord? {
        if let record = try read(Self.file(of: reference)) { return record }
        guard let digest = reference.digest else { return nil }
        // Pulled by a tag: then that name's target says whether it is this one.
        if reference.tag != nil {
            var tagged = reference
            tagged.digest = nil
            return try read(Self.file(of: tagged)).flatMap { Self.is($0, digest) ? $0 : nil }
        }
        return try list().first { $0.reference?.name == reference.name && Self.is($0, digest) }
    }

    /// What a user means: a name, or an ID or the unique beginning of one.
    ///
    /// - Returns: `nil` if there is no such image.
    /// - Throws: When several IDs have that beginning, or when `text` can be no name.
    public func find(_ text: String) throws(Failure) -> ImageRecord? {
        let digits = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
        let isID = !digits.isEmpty && digits.utf8.count <= 64 && digits.utf8.allSatisfy(Digest.isLowerHex)
        if digits.utf8.count < 64 || !isID {
            do throws(Failure) {
                if let record = try find(ImageReference(text)) { return record }
            } catch  where isID {
                // as `sha256:12ab`, which is no name
            }
        }
        guard isID else { return nil }
        let matches = try list().filter { $0.id.hex.hasPrefix(digits) }
        guard Set(matches.map(\.id)).count < 2 else {
            throw Failure("find image", text, "several IDs begin with it", remedy: "give more of the ID")
        }
        return matches.first
    }

    private static func `is`(_ record: ImageRecord, _ digest: Digest) -> Bool {
        record.target.digest == digest || record.manifest.digest == digest
    }

    /// Every name and every image without one, sorted by name. Records that cannot be read are left out.
    public func list() throws(Failure) -> [ImageRecord] {
        var records: [ImageRecord] = []
        try attempt("list images", path) { () throws(SystemCallError) in
            try forEachRecord("names") { if let record = $0 { records.append(record) } }
        }
        return records.sorted { ($0.name ?? "", $0.id) < ($1.name ?? "", $1.id) }
    }

    /// Every name of the image with this ID; one without a name if it has none.
    public func records(of id: Digest) throws(Failure) -> [ImageRecord] { try list().filter { $0.id == id } }

    private func forEachRecord(_ folder: String, _ body: (ImageRecord?) -> Void) throws(SystemCallError) {
        let names: [String]
        do throws(SystemCallError) {
            let opened = try directory.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            defer { opened.closeQuietly() }
            names = try opened.entries()
        } catch  where error.errno == .noSuchFileOrDirectory {
            return  // removed meanwhile
        }
        for name in names where !name.hasPrefix(".") {
            if name.hasSuffix(".json") {
                body(try? read("\(folder)/\(name)"))  // `try?`: one damaged record must not hide all others
            } else {
                try forEachRecord("\(folder)/\(name)", body)
            }
        }
    }

    private func read(_ file: String) throws(Failure) -> ImageRecord? {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try directory.contents(of: file, limit: Self.recordLimit)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .fileNameTooLong {
            return nil
        } catch {
            throw Failure("read image", "\(path)/\(file)", error)
        }
        do throws(SpecError) {
            return try ImageRecord(json: bytes)
        } catch {
            throw Failure(
                "read image", "\(path)/\(file)", "\(error)", remedy: "remove this file and pull the image again")
        }
    }

    /// Where the record of a name is. A repository's part has no colon and no `@`: it cannot be a record's name.
    private static func file(of reference: ImageReference) -> String {
        let suffix = reference.digest.map { "@\($0)" } ?? ":\(reference.tag ?? ImageReference.defaultTag)"
        return "names/\(reference.name)\(suffix).json"
    }

    private static func file(ofUnnamed id: Digest) -> String { "names/@/\(id).json" }

    // MARK: Changing

    /// Gives an image its name; whatever had the name before goes on without it, or with its other names.
    ///
    /// The caller holds all blobs and layers that `record` speaks of.
    ///
    /// - Returns: The image that had the name before, if that was another one.
    @discardableResult
    public func record(_ record: ImageRecord) throws(Failure) -> Digest? {
        if let reference = record.reference, try find(reference) == record { return nil }
        return try changingNames { () throws(Failure) in
            let others = try list()
            guard let reference = record.reference else {
                if !others.contains(where: { $0.id == record.id }) {
                    try write(record, Self.file(ofUnnamed: record.id))
                }
                try writeIndex()
                return nil
            }
            let file = Self.file(of: reference)
            let before = others.first { $0.name == record.name }
            if let before, before.id != record.id, !others.contains(where: { $0.id == before.id && $0 != before }) {
                try write(Self.unnamed(before), Self.file(ofUnnamed: before.id))
            }
            try write(record, file)
            try removeFile(Self.file(ofUnnamed: record.id))
            try writeIndex()
            return before.flatMap { $0.id == record.id ? nil : $0.id }
        }
    }

    /// Gives an image another name.
    ///
    /// - Parameter source: A name, an ID or its beginning.
    public func tag(_ source: String, as name: ImageReference) throws(Failure) {
        guard name.digest == nil else {
            throw Failure("tag image", name.familiar, "a digest cannot be given", remedy: "give a name and a tag")
        }
        guard var record = try find(source) else { throw Self.noSuchImage(source) }
        // Held, so that nobody prunes it between the look and the new name.
        let held = try hold(record)
        record.name = name.canonical
        try self.record(record)
        withExtendedLifetime(held) {}
    }

    /// Takes a name away. The image stays, without a name if it has no other one, unless `keepsImage` is false.
    func removeName(_ record: ImageRecord, keepsImage: Bool) throws(Failure) {
        try changingNames { () throws(Failure) in
            if let reference = record.reference {
                if keepsImage, try records(of: record.id).count < 2 {
                    try write(Self.unnamed(record), Self.file(ofUnnamed: record.id))
                }
                try removeFile(Self.file(of: reference))
            } else {
                try removeFile(Self.file(ofUnnamed: record.id))
            }
            try writeIndex()
        }
    }

    public static func noSuchImage(_ name: String) -> Failure {
        Failure("", "no such image", name, remedy: "see 'apus images'")
    }

    private static func unnamed(_ record: ImageRecord) -> ImageRecord {
        var result = record
        result.name = nil
        return result
    }

    private func write(_ record: ImageRecord, _ file: String) throws(Failure) {
        let slash = file.lastIndex(of: "/") ?? file.startIndex
        try attempt("name image", record.familiar) { () throws(SystemCallError) in
            try directory.makeDirectories(String(file[..<slash]), mode: 0o711)
            let folder = try directory.open(String(file[..<slash]), O_RDONLY | O_DIRECTORY)
            defer { folder.closeQuietly() }
            try folder.replaceFile(String(file[file.index(after: slash)...]), with: record.json(), durable: true)
        }
    }

    /// Removes a record, and the directories that held no other.
    private func removeFile(_ file: String) throws(Failure) {
        try attempt("remove name of image", file) { () throws(SystemCallError) in try directory.remove(file) }
        var folder = file[..<(file.lastIndex(of: "/") ?? file.startIndex)]
        while folder != "names", folder != "names/@", !folder.isEmpty,
            unlinkat(directory.rawValue, String(folder), AT_REMOVEDIR) == 0
        {
            folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]
        }
    }

    /// Writes what other tools read. Each image is one whose blobs are all there: not an index with other platforms'.
    func writeIndex() throws(Failure) {
        var seen: Set<Digest> = []
        var manifests: [Descriptor] = []
        for record in try list() {
            var descriptor = record.manifest
            descriptor.platform = record.platform
            if let name = record.name {
                descriptor.annotations = ["org.opencontainers.image.ref.name": name]
            } else if !seen.insert(record.manifest.digest).inserted {
                continue
            }
            manifests.append(descriptor)
        }
        try attempt("write", "\(path)/index.json") { () throws(SystemCallError) in
            try directory.replaceFile("index.json", with: ImageIndex(manifests: manifests).json(), mode: 0o644)
        }
    }

    // MARK: Holding

    /// Keeps all blobs and layers of an image from being removed for as long as the result lives.
    public func hold(_ record: ImageRecord) throws(Failure) -> [Held] {
        var held: [Held] = []
        for chain in record.layers { held.append(try open(layer: chain)) }
        for blob in record.blobs {
            if let file = try openIfThere(blob: blob) {
                held.append(file)
            } else if try !canPack(blob, from: record.layers) {
                held.append(try open(blob: blob))
            }
        }
        return held
    }
}
