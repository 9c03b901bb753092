// Experimental: compiled and run on Linux against doubles, never by Xcode (docs/ios.md).
// A double of Core ML for Linux: what ios/Sources uses, and nothing of Apple's.
import CoreVideo
import Foundation

/// The element types that the loop reads and writes.
public protocol MLShapedArrayScalar {
    init(_ value: Double)
    var double: Double { get }
}

extension Float: MLShapedArrayScalar { public var double: Double { Double(self) } }
extension Int32: MLShapedArrayScalar { public var double: Double { Double(self) } }

/// Row by row, and whole: no strides.
public final class MLMultiArray {
    public let shape: [NSNumber]
    fileprivate let values: [Double]

    fileprivate init(_ values: [Double], _ shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for \(shape)")
        (self.values, self.shape) = (values, shape.map { NSNumber(value: $0) })
    }
}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
    public let shape: [Int]
    public let scalars: [Scalar]

    public init(scalars: [Scalar], shape: [Int]) {
        precondition(scalars.count == shape.reduce(1, *), "\(scalars.count) scalars for \(shape)")
        (self.scalars, self.shape) = (scalars, shape)
    }

    public init(converting array: MLMultiArray) {
        self.init(scalars: array.values.map { Scalar($0) }, shape: array.shape.map(\.intValue))
    }
}

public final class MLFeatureValue {
    public let multiArrayValue: MLMultiArray?
    public let imageBufferValue: CVPixelBuffer?

    public init<Scalar: MLShapedArrayScalar>(shapedArray: MLShapedArray<Scalar>) {
        multiArrayValue = MLMultiArray(shapedArray.scalars.map(\.double), shapedArray.shape)
        imageBufferValue = nil
    }

    public init(pixelBuffer: CVPixelBuffer) {
        (multiArrayValue, imageBufferValue) = (nil, pixelBuffer)
    }
}

public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for featureName: String) -> MLFeatureValue?
}

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
    private let values: [String: MLFeatureValue]

    public init(dictionary: [String: Any]) throws {
        values = dictionary.compactMapValues { $0 as? MLFeatureValue }
        precondition(values.count == dictionary.count, "an input is no feature value")
    }

    public var featureNames: Set<String> { Set(values.keys) }
    public func featureValue(for featureName: String) -> MLFeatureValue? { values[featureName] }
}

public enum MLComputeUnits { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }

public final class MLModelConfiguration {
    public var computeUnits = MLComputeUnits.all
    public var functionName: String?

    public init() {}
}

/// Answers with what a test gives it: nothing is computed.
public final class MLModel {
    public typealias Answer = (MLModel, [String: MLFeatureValue]) throws -> [String: MLFeatureValue]

    /// Belongs to the double: what all models answer with.
    public static var answer: Answer?

    /// Belongs to the double: the package's name.
    public let resource: String
    public let configuration: MLModelConfiguration

    private init(_ resource: String, _ configuration: MLModelConfiguration) {
        (self.resource, self.configuration) = (resource, configuration)
    }

    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration
    ) async throws -> MLModel {
        MLModel(url.deletingPathExtension().lastPathComponent, configuration)
    }

    public func prediction(from input: MLFeatureProvider) throws -> MLFeatureProvider {
        guard let answer = Self.answer else { preconditionFailure("the test set no answer") }
        var inputs: [String: MLFeatureValue] = [:]
        for name in input.featureNames { inputs[name] = input.featureValue(for: name) }
        return try MLDictionaryFeatureProvider(dictionary: answer(self, inputs))
    }
}
