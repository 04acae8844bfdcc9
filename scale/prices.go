package main

// price of something in US dollars, in us-east-1, without taxes: the list price that was found in November 2026 where the source
// says.
type price struct {
	dollars    float64
	what, each string
	page       string // AWS's own
	by, date   string // where it was found
}

var (
	lambdaCalls   = price{0.20, "Lambda, arm64", "a million calls", "https://aws.amazon.com/lambda/pricing/", "https://cloudchipr.com/blog/aws-lambda-pricing", "2024"}
	lambdaTime    = price{0.0000133334, "Lambda, arm64", "GB-second", "https://aws.amazon.com/lambda/pricing/", "https://cloudchipr.com/blog/aws-lambda-pricing", "2024"}
	gatewayCalls  = price{1.00, "API Gateway, HTTP API", "a million calls of up to 512 KB", "https://aws.amazon.com/api-gateway/pricing/", "https://awsforengineers.com/blog/aws-api-gateway-pricing-explained", "May 2025"}
	dynamoWrites  = price{0.625, "DynamoDB, on demand", "a million write units", "https://aws.amazon.com/dynamodb/pricing/on-demand/", "https://airbyte.com/data-engineering-resources/dynamodb-pricing", "July 2025"}
	dynamoReads   = price{0.125, "DynamoDB, on demand", "a million read units", "https://aws.amazon.com/dynamodb/pricing/on-demand/", "https://airbyte.com/data-engineering-resources/dynamodb-pricing", "July 2025"}
	dynamoStorage = price{0.25, "DynamoDB, storage", "GB and month", "https://aws.amazon.com/dynamodb/pricing/on-demand/", "https://airbyte.com/data-engineering-resources/dynamodb-pricing", "July 2025"}
	dynamoBackup  = price{0.20, "DynamoDB, recovery", "GB and month", "https://aws.amazon.com/dynamodb/pricing/on-demand/", "https://finops.com.py/services/dynamodb/backups", "2025"}
	queueRequests = price{0.50, "SQS, FIFO", "a million requests", "https://aws.amazon.com/sqs/pricing/", "https://cloudburn.io/blog/amazon-sqs-pricing", "March 2026"}
	hostProcessor = price{0.03238, "Fargate, Linux on arm64", "vCPU and hour", "https://aws.amazon.com/fargate/pricing/", "https://www.vantage.sh/blog/fargate-pricing", "2025"}
	hostMemory    = price{0.00356, "Fargate, Linux on arm64", "GB and hour", "https://aws.amazon.com/fargate/pricing/", "https://www.vantage.sh/blog/fargate-pricing", "2025"}
	spotShare     = price{0.30, "Fargate Spot", "dollar on demand", "https://aws.amazon.com/fargate/pricing/", "https://hub.pointfive.co/cloud-services/aws-fargate", "2025"}
	publicAddress = price{0.005, "public IPv4 address", "hour", "https://aws.amazon.com/vpc/pricing/", "https://www.doit.com/aws-public-ipv4-price-increase-the-complete-guide/", "February 2024"}
	logged        = price{0.50, "CloudWatch, logs", "GB", "https://aws.amazon.com/cloudwatch/pricing/", "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/", "June 2026"}
	metric        = price{0.30, "CloudWatch, metric", "month", "https://aws.amazon.com/cloudwatch/pricing/", "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/", "June 2026"}
	alarm         = price{0.10, "CloudWatch, alarm", "metric that it watches, and month", "https://aws.amazon.com/cloudwatch/pricing/", "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/", "June 2026"}
	dashboard     = price{3.00, "CloudWatch, dashboard", "month", "https://aws.amazon.com/cloudwatch/pricing/", "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/", "June 2026"}
	filesPut      = price{5.00, "S3, PUT", "a million requests", "https://aws.amazon.com/s3/pricing/", "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples", "2025"}
	filesGot      = price{0.40, "S3, GET", "a million requests", "https://aws.amazon.com/s3/pricing/", "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples", "2025"}
	filesKept     = price{0.023, "S3, storage", "GB and month", "https://aws.amazon.com/s3/pricing/", "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples", "2025"}
	transferred   = price{0.09, "transfer to the internet", "GB", "https://aws.amazon.com/ec2/pricing/on-demand/", "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples", "2025"}
)

// prices, in the order of the table.
var prices = []price{
	lambdaCalls, lambdaTime, gatewayCalls, dynamoWrites, dynamoReads, dynamoStorage, dynamoBackup, queueRequests, hostProcessor, hostMemory,
	spotShare, publicAddress, logged, metric, alarm, dashboard, filesPut, filesGot, filesKept, transferred,
}

const hours = 730 // of a month
