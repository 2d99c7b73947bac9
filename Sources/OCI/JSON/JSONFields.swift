/// A type whose properties are the fields of a JSON object.
///
/// One declaration, `map`, serves for reading and for writing. It is used instead of Codable because that takes longer
/// to read one `config.json` than the kernel takes to make a container.
package protocol JSONMappable: JSONValue {
    /// One with nothing in it, to be read into.
    init()
    /// Names each field and the property that it is.
    mutating func map(_ fields: JSONFields)
}

/// The fields of the object that is being read or written.
package final class JSONFields {
    /// `nil` when writing.
    private let document: JSONDocument?
    /// Its place in the document.
    private var object = 0
    /// What was wrong first.
    private(set) var error: SpecError?
    /// What was written.
    var output: [UInt8] = []

    init(reading document: JSONDocument? = nil) {
        self.document = document
    }

    // MARK: For mappings

    /// A field that may be missing or null.
    package func optional<Value: JSONValue>(_ name: StaticString, _ property: inout Value?) {
        mapOptional(name, &property)
    }

    /// A field that must be there.
    package func required<Value: JSONValue>(_ name: StaticString, _ property: inout Value) {
        mapRequired(name, &property)
    }

    /// A field that keeps the property's value when it is missing or null.
    package func defaulted<Value: JSONValue>(_ name: StaticString, _ property: inout Value) {
        if document == nil {
            write(name, property)
        } else if let place = find(name), let value = Value.read(from: self, at: place) {
            property = value
        }
    }

    /// Refuses the value that was read for a field, which is there, unless `isGood`.
    package func check(_ name: StaticString, _ isGood: Bool, expected: @autoclosure () -> String) {
        guard !isGood, let place = find(name) else { return }
        fail(place, expected: expected())
    }

    // MARK: For mappings of other modules
    //
    // There the generic ones ask for each type when they first meet it, for some 10 µs each; here nothing asks.

    package func optional(_ name: StaticString, _ property: inout String?) { mapOptional(name, &property) }
    package func required(_ name: StaticString, _ property: inout String) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout [String]) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout [String: String]) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout Bool) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout Int) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout Int32) { mapRequired(name, &property) }
    package func required(_ name: StaticString, _ property: inout UInt64) { mapRequired(name, &property) }

    /// The value at `place`.
    package func uint64(at place: JSONPlace) -> UInt64? { UInt64.read(from: self, at: place) }

    package func write(_ value: UInt64) { value.write(to: self) }

    private func mapOptional<Value: JSONValue>(_ name: StaticString, _ property: inout Value?) {
        if document == nil {
            if let property { write(name, property) }
        } else if let place = find(name) {
            property = Value.read(from: self, at: place)
        }
    }

    private func mapRequired<Value: JSONValue>(_ name: StaticString, _ property: inout Value) {
        if document == nil {
            write(name, property)
        } else if let place = find(name) {
            if let value = Value.read(from: self, at: place) { property = value }
        } else {
            failMissing(name)
        }
    }

    // MARK: For values

    /// The place of the value of a field; `nil` if there is none, or null.
    private func find(_ name: StaticString) -> JSONPlace? {
        guard let document, error == nil, let index = document.member(name, of: object),
            document.nodes[index].kind != .null
        else { return nil }
        return JSONPlace(document: document, index: index)
    }

    /// Reads or writes the fields of the object at `place` by `map`.
    func within(_ place: JSONPlace, _ map: () -> Void) {
        let outer = object
        object = place.index
        map()
        object = outer
    }

    /// Takes down that what stands at `place` is not what it should be.
    package func fail(_ place: JSONPlace, expected: String) {
        fail(place, "expected \(expected), got \(place.wording)")
    }

    func fail(_ place: JSONPlace, _ reason: @autoclosure () -> String) {
        guard error == nil else { return }
        error = SpecError(path: printable(place.document.path(to: place.index)), reason: printable(reason()))
    }

    private func failMissing(_ name: StaticString) {
        guard let document, error == nil else { return }
        let path = printable(document.path(to: object))
        error = SpecError(path: path.isEmpty ? "\(name)" : "\(path).\(name)", reason: "missing")
    }

    func write(_ name: StaticString, _ value: some JSONValue) {
        separate()
        write(word: name)
        output.append(UInt8(ascii: ":"))
        value.write(to: self)
    }

    /// - Parameter word: Without anything that JSON escapes.
    func write(word: StaticString) {
        output.append(UInt8(ascii: "\""))
        word.withUTF8Buffer { output.append(contentsOf: $0) }
        output.append(UInt8(ascii: "\""))
    }

    func writeObject(_ fields: () -> Void) {
        output.append(UInt8(ascii: "{"))
        fields()
        output.append(UInt8(ascii: "}"))
    }
}

/// Without what a terminal might obey, since messages repeat names and values of the text.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
}

/// A value in a document.
package struct JSONPlace {
    let document: JSONDocument
    let index: Int

    var kind: JSONNode.Kind { document.nodes[index].kind }

    /// What stands here, for messages.
    var wording: String {
        switch kind {
        case .null: "null"
        case .true: "true"
        case .false: "false"
        case .number where document.nodes[index].end - document.nodes[index].start <= 40: document.text(index)
        case .number: "a number of many digits"
        case .string: "a string"
        case .list: "a list"
        case .object: "an object"
        }
    }

    /// The places of the name and the value of an object's only field; `nil` if it has more or none, or is no object.
    var onlyField: (name: JSONPlace, value: JSONPlace)? {
        guard kind == .object, document.nodes[index].next > index + 1,
            document.nodes[index + 2].next == document.nodes[index].next
        else { return nil }
        return (JSONPlace(document: document, index: index + 1), JSONPlace(document: document, index: index + 2))
    }

    /// The places of the elements of a list, or of the values of an object.
    func forEachChild(_ body: (JSONPlace) -> Bool) {
        let step = kind == .object ? 1 : 0  // over the name
        var child = index + 1 + step
        let end = Int(document.nodes[index].next)
        while child < end {
            guard body(JSONPlace(document: document, index: child)) else { return }
            child = Int(document.nodes[child].next) + step
        }
    }
}

extension JSONMappable {
    /// Reads a JSON text; fields that are not known are ignored, names are compared exactly, and of fields with one
    /// name the last counts.
    ///
    /// - Parameters:
    ///   - json: At most `limit` bytes.
    ///   - limit: Below 4 GiB.
    /// - Throws: What is wrong first, with its place: `linux.resources.memory.limit: expected an integer, got a string`.
    package init(json: [UInt8], limit: Int = JSONDocument.sizeLimit) throws(SpecError) {
        let document = try JSONDocument(json, limit: limit)
        let fields = JSONFields(reading: document)
        let value = Self.read(from: fields, at: JSONPlace(document: document, index: 0))
        if let error = fields.error { throw error }
        self = value ?? Self()
    }

    /// This as a JSON text, in one line. The same value gives the same text.
    package func json() -> [UInt8] {
        let fields = JSONFields()
        write(to: fields)
        return fields.output
    }

    package static func read(from fields: JSONFields, at place: JSONPlace) -> Self? {
        guard place.kind == .object else {
            fields.fail(place, expected: "an object")
            return nil
        }
        var value = Self()
        fields.within(place) { value.map(fields) }
        return fields.error == nil ? value : nil
    }

    package func write(to fields: JSONFields) {
        var copy = self  // which writing does not change
        fields.writeObject { copy.map(fields) }
    }
}
